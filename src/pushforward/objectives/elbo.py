"""Bounds on the marginal likelihood and their closed-form pieces."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

LOG_VAR = 30.0


def gaussian_kl(mu: Float[Tensor, "b d"], log_var: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
    """KL(N(μ, σ²) ‖ N(0, 1)) in nats, per dimension: ½(σ² + μ² - ln σ² - 1).

    Kingma & Welling 2014, appendix B.
    """
    return 0.5 * (log_var.exp() + mu.square() - log_var - 1)


def bounded_log_var(log_var: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """ln σ² within ±30, beyond which σ² leaves what single precision can square; the gradient passes.

    A bound without a gradient would keep a σ there that has run away.
    """
    return log_var.detach().clamp(-LOG_VAR, LOG_VAR) + (log_var - log_var.detach())


def reparameterize(mu: Float[Tensor, "b d"], log_var: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
    """z = μ + σε with ε ~ N(0, 1): a draw through which the gradient passes. Kingma & Welling 2014, eq. 4."""
    return mu + torch.exp(0.5 * log_var) * torch.randn_like(mu)


def gaussian_log_prob(
    z: Float[Tensor, "b d"], mu: Float[Tensor, "#b d"], log_var: Float[Tensor, "#b d"]
) -> Float[Tensor, " b"]:
    """ln N(z; μ, σ²) in nats, summed over dimensions."""
    per_dimension = (z - mu).square() * torch.exp(-log_var) + log_var + math.log(2 * math.pi)
    return -0.5 * per_dimension.sum(1)


def importance_weighted_bound(log_weights: Float[Tensor, "k b"]) -> Float[Tensor, " b"]:
    """ln (1/k) Σ w_i, a lower bound on ln p(x) in nats that tightens with k; k = 1 is the ELBO.

    log_weights: ln p(x, z_i) - ln q(z_i|x). Burda et al. 2016, eq. 8.
    """
    return torch.logsumexp(log_weights, dim=0) - math.log(len(log_weights))


def partial_bound(log_weights: Float[Tensor, "k b"], groups: int) -> Float[Tensor, " b"]:
    """(1/M) Σ_m ln (1/L) Σ_l w_ml: the mean of M = `groups` bounds of L = k/M samples each, in nats.

    One group gives the bound of k samples, k groups the mean of k ELBOs. log_weights: as above, neighbours
    in a group. groups divides k. The MIWAE's bound, Rainforth et al. 2018.
    """
    grouped = log_weights.unflatten(0, (groups, -1))
    return (torch.logsumexp(grouped, dim=1) - math.log(grouped.shape[1])).mean(0)


def combined_bound(log_weights: Float[Tensor, "k b"], beta: float) -> Float[Tensor, " b"]:
    """β ELBO + (1 - β) L_k of the same k draws, in nats; β in [0, 1]. The CIWAE's, Rainforth et al. 2018."""
    return beta * log_weights.mean(0) + (1 - beta) * importance_weighted_bound(log_weights)
