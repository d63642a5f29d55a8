"""Estimates of ln p(x) of a trained model, with their errors: by draws from the prior or the encoder.

`annealing` has the costlier one by annealed importance sampling. All of them average weights w that are
unbiased for p(x), so that ln w̄ falls short of ln p(x) on average: a lower bound, tight where the effective
sample size is large. A latent model enters as `log_likelihood(z) -> ln p(x|z)` for b images at once,
(k, b, d) -> (k, b), its prior being N(0, I). Nothing here records a graph: this is for evaluation, `elbo`
is for training.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.errors import UserError
from pushforward.objectives.elbo import gaussian_log_prob, importance_weighted_bound

LogLikelihood = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class LikelihoodEstimate:
    """ln p(x) in nats for each image, in double.

    value: ln of the mean weight. standard_error: of the value, by the delta method. ess: effective number
    of the k draws, (Σw)²/Σw² in [1, k]. Near 1 a single draw carries the estimate: the true ln p(x) is then
    higher by more than the standard error, which cannot exceed 1, admits. acceptance: of an annealed
    estimate's moves, averaged over temperatures and chains.
    """

    value: Float[Tensor, " b"]
    standard_error: Float[Tensor, " b"]
    ess: Float[Tensor, " b"]
    acceptance: Float[Tensor, " b"] | None = None


def summarize_weights(
    log_weights: Float[Tensor, "k b"], *, acceptance: Float[Tensor, " b"] | None = None
) -> LikelihoodEstimate:
    """The estimate that k independent log-weights make. One draw has no standard error: nan."""
    log_weights = log_weights.double()
    k = len(log_weights)
    ess = 1 / log_weights.softmax(0).square().sum(0)
    # Var(ln w̄) ≈ Var(w)/(k w̄²), and the sample variance of w/w̄ is (k/ess - 1) k/(k - 1).
    variance = (k / ess - 1).clamp(min=0) / (k - 1) if k > 1 else torch.full_like(ess, math.nan)
    return LikelihoodEstimate(importance_weighted_bound(log_weights), variance.sqrt(), ess, acceptance)


def decoder_log_likelihood(
    decoder: Callable[[Tensor], Tensor],
    log_prob: Callable[[Tensor, Tensor], Tensor],
    x: Float[Tensor, "b *x"],
) -> LogLikelihood:
    """ln p(x|z) of fixed images as a function of z, (k, b, d) -> (k, b).

    decoder: (n, d) -> decoded. log_prob: (decoded, images) -> nats, (n,), as a `Likelihood` offers it.
    """

    def log_likelihood(z: Tensor) -> Tensor:
        k = len(z)
        return log_prob(decoder(z.flatten(0, 1)), x.repeat(k, *[1] * (x.ndim - 1))).view(k, len(x))

    return log_likelihood


@torch.no_grad()
def prior_estimate(
    log_likelihood: LogLikelihood, like: Float[Tensor, "b d"], *, draws: int, draws_at_once: int = 100
) -> LikelihoodEstimate:
    """ln (1/k) Σ p(x|z_i) with z_i ~ p(z): naive Monte Carlo.

    like: any tensor with the latents' shape, type and device; its values are not read. draws: k.
    Biased low, and wildly so where the posterior is much narrower than the prior: the draws needed grow
    like e^KL(p(z|x) ‖ p(z)), hence exponentially with the dimension.
    """
    zeros = torch.zeros_like(like)
    return importance_estimate(log_likelihood, zeros, zeros, draws=draws, draws_at_once=draws_at_once)


@torch.no_grad()
def importance_estimate(
    log_likelihood: LogLikelihood,
    mu: Float[Tensor, "b d"],
    log_var: Float[Tensor, "b d"],
    *,
    draws: int,
    draws_at_once: int = 100,
) -> LikelihoodEstimate:
    """ln (1/k) Σ p(x|z_i) p(z_i)/q(z_i|x) with z_i ~ q = N(μ, σ²). Burda et al. 2016, eq. 8.

    draws: k. draws_at_once: how many are decoded together; it bounds the memory and changes nothing else.
    """
    for name, value in (("draws", draws), ("draws_at_once", draws_at_once)):
        if value < 1:
            raise UserError(f"{name}: {value}; expected at least 1")
    sizes = [min(draws_at_once, draws - i) for i in range(0, draws, draws_at_once)]
    return summarize_weights(torch.cat([_log_weights(log_likelihood, mu, log_var, n) for n in sizes]))


def _log_weights(
    log_likelihood: LogLikelihood, mu: Float[Tensor, "b d"], log_var: Float[Tensor, "b d"], k: int
) -> Float[Tensor, "k b"]:
    b, d = mu.shape
    flat_mu, flat_log_var = mu.repeat(k, 1), log_var.repeat(k, 1)
    z = flat_mu + torch.exp(0.5 * flat_log_var) * torch.randn_like(flat_mu)
    prior = gaussian_log_prob(z, torch.zeros_like(z), torch.zeros_like(z))
    log_ratio = (prior - gaussian_log_prob(z, flat_mu, flat_log_var)).view(k, b)
    return log_likelihood(z.view(k, b, d)) + log_ratio
