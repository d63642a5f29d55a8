"""ARM: augment, reinforce, merge; antithetic pairs of Bernoulli vectors from shared uniform noise.

M. Yin and M. Zhou, *ARM: augment-REINFORCE-merge gradient for stochastic binary networks*, ICLR 2019,
Theorem 1, by the logits φ of a factorial Bernoulli:

    (f(1[u > σ(-φ)]) - f(1[u < σ(φ)])) (u - 1/2),   u ~ Uniform(0, 1)^d
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution

from pushforward.objectives.estimators.contract import (
    Estimate,
    Function,
    Lifted,
    Samples,
    evaluate,
    finish,
    lift,
    linear,
    over_event,
)
from pushforward.objectives.estimators.noise import logistic
from pushforward.objectives.estimators.relaxations import relaxable
from pushforward.objectives.estimators.table import check


def arm(f: Function, samples: Samples, dist: Distribution, *, jacobians: bool = False) -> Estimate:
    """Estimate ∇ E_q[f(z)] from antithetic pairs; f may be a black box in z. A draw evaluates f twice.

    Raises UserError for anything but a Bernoulli.
    """
    check("arm", samples, dist)
    q = lift(dist, samples, jacobians=jacobians)
    noise, _, _, values, difference = antithetic_pair(f, q)
    gradient = over_event(difference, noise) * (noise.sigmoid() - 0.5)
    return finish(values + linear(gradient, logits(q), len(q.batch_shape)), q, jacobians=jacobians)


def antithetic_pair(
    f: Function, q: Lifted
) -> tuple[
    Float[Tensor, "n *z"],
    Float[Tensor, "n *z"],
    Float[Tensor, "n *z"],
    Float[Tensor, "n *batch"],
    Float[Tensor, "n *batch"],
]:
    """logit(u), b = 1[u > σ(-φ)], b̃ = 1[u < σ(φ)], the mean of f(b) and f(b̃), and their difference."""
    noise = logistic(logits(q))
    pair = torch.cat([logits(q) + noise, logits(q) - noise]).gt(0).to(noise.dtype)
    f_b, f_b_tilde = evaluate(f, pair, q).split(q.n)
    b, b_tilde = pair.split(q.n)
    return noise, b, b_tilde, (f_b + f_b_tilde) / 2, (f_b - f_b_tilde).detach()


def logits(q: Lifted) -> Float[Tensor, "n *z"]:
    """φ, one copy a draw."""
    return relaxable(q.factors).logits
