"""REBAR: the score function with f at the relaxed variable as control variate.

G. Tucker, A. Mnih, C. J. Maddison, D. Lawson and J. Sohl-Dickstein, *REBAR: low-variance, unbiased gradient
estimates for discrete latent variable models*, NIPS 2017, with τ and η by the variance:

    ĝ = (f(b) - η f(σ_τ(z̃))) ∇_θ ln q_θ(b) + η ∇_θ f(σ_τ(z)) - η ∇_θ f(σ_τ(z̃))

Deviations from the paper:
1. The plain relaxation σ(z/τ), as in Grathwohl et al. 2018, not the paper's modified one.
2. z and z̃ are coupled only through b, not by a shared uniform variable.
3. Categorical variables too, with the conditional draws of the appendix.
"""

from __future__ import annotations

from torch.distributions import Distribution

from pushforward.errors import UserError
from pushforward.objectives.estimators.contract import Estimate, Function, Samples
from pushforward.objectives.estimators.relax import RelaxControl, controlled
from pushforward.objectives.estimators.table import check


def rebar(
    f: Function, samples: Samples, dist: Distribution, *, control: RelaxControl, jacobians: bool = False
) -> Estimate:
    """Estimate ∇ E_q[f(z)] with f at the relaxed variable as control variate; unbiased for all η and τ.

    control: `RelaxControl()`, whose η and τ get the gradient of the mean over draws of Σ ĝ² from the same
    surrogate. f must be differentiable and defined between the discrete values. There is no baseline:
    subtract the level of f, or take RELAX, whose network learns it.
    """
    check("rebar", samples, dist)
    if control.network is not None or not control.use_f:
        raise UserError("control: given one with a network or without f, expected RelaxControl(); take relax")
    return controlled(f, samples, dist, control, jacobians=jacobians)
