"""Gumbel-Max sampling, the Gumbel-Softmax relaxation and its straight-through version.

E. Jang, S. Gu and B. Poole, *Categorical reparameterization with Gumbel-Softmax*, ICLR 2017, eq. 1-2 and
section 2.2; the same distribution as C. J. Maddison, A. Mnih and Y. W. Teh, *The Concrete distribution*,
ICLR 2017:

    z = onehot(argmax_i (g_i + ln π_i)),   y = softmax((ln π + g)/τ),   g ~ Gumbel(0, 1)

and for a Bernoulli y = sigmoid((logit + logistic noise)/τ). As τ → 0 the bias goes to 0 and the variance to
infinity, so τ is annealed to a floor.
"""

from __future__ import annotations

import math

from jaxtyping import Float, Int
from torch import Tensor
from torch.distributions import Distribution

from pushforward.errors import UserError
from pushforward.objectives.estimators.contract import (
    Estimate,
    Function,
    Samples,
    evaluate,
    finish,
    full_precision,
    lift,
    zero_with_gradient,
)
from pushforward.objectives.estimators.noise import gumbel
from pushforward.objectives.estimators.relaxations import harden, perturbed_logits, relaxable, soften
from pushforward.objectives.estimators.table import check, check_temperature


def gumbel_max(logits: Float[Tensor, "*batch k"], n: int) -> Int[Tensor, "n *batch"]:
    """n exact draws from the categorical with these logits (normalised or not), as indices. Eq. 1."""
    ln_pi = full_precision(logits).expand(n, *logits.shape)
    return (ln_pi + gumbel(ln_pi)).argmax(-1)


def gumbel_softmax(
    f: Function, samples: Samples, dist: Distribution, *, temperature: float, jacobians: bool = False
) -> Estimate:
    """Estimate ∇ E_q[f(z)] by ∇ E[f(y)], y relaxed at temperature τ. Biased.

    f gets y, inside the simplex or (0, 1), and must be differentiable there; the surrogate's value is the
    mean of f(y), not of f(z). Raises UserError for τ ≤ 0.
    """
    check("gumbel-softmax", samples, dist)
    check_temperature(temperature)
    q = lift(dist, samples, jacobians=jacobians)
    factors = relaxable(q.factors)
    y = soften(factors, perturbed_logits(factors), temperature)
    return finish(evaluate(f, y, q), q, jacobians=jacobians)


def straight_through_gumbel(
    f: Function, samples: Samples, dist: Distribution, *, temperature: float, jacobians: bool = False
) -> Estimate:
    """Estimate ∇ E_q[f(z)] by f'(z) ∇y: f gets the discrete z, its gradient passes as if by y. Biased.

    The surrogate's value is the mean of f(z), and f's other gradients are exact. Raises UserError for τ ≤ 0.
    """
    check("straight-through-gumbel", samples, dist)
    check_temperature(temperature)
    q = lift(dist, samples, jacobians=jacobians)
    factors = relaxable(q.factors)
    z = perturbed_logits(factors)
    y = soften(factors, z, temperature)
    return finish(evaluate(f, zero_with_gradient(y) + harden(factors, z), q), q, jacobians=jacobians)


def annealed_temperature(step: int, *, rate: float = 1e-4, floor: float = 0.5, every: int = 1) -> float:
    """τ = max(floor, exp(-rate·t)), with t the step rounded down to a multiple of `every`.

    Jang et al. 2017, section 4: floor 0.5, rate 1e-5 or 1e-4 per step, every 500 or 1,000 steps.
    """
    if rate < 0 or floor <= 0 or every < 1:
        raise UserError(
            f"annealed_temperature: given rate {rate}, floor {floor}, every {every}, expected rate ≥ 0, "
            "floor > 0 and every ≥ 1; the paper takes rate=1e-4, floor=0.5, every=1000"
        )
    return max(floor, math.exp(-rate * (step - step % every)))
