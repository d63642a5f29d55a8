"""The pathwise estimator (reparameterization).

D. P. Kingma and M. Welling, *Auto-Encoding Variational Bayes*, ICLR 2014, section 2.4; D. J. Rezende,
S. Mohamed and D. Wierstra, *Stochastic backpropagation*, ICML 2014:

    ∇_θ E_q[f(z)] = E_ε[∇_θ f(g_θ(ε))],   z = g_θ(ε), for a Normal μ + σε

For a Gamma, Beta or Dirichlet torch differentiates the inverse distribution function implicitly (Figurnov,
Mohamed & Mnih 2018).
"""

from __future__ import annotations

import torch
from torch.distributions import Distribution

from pushforward.errors import UserError
from pushforward.objectives.estimators.contract import Estimate, Function, Samples, evaluate, finish, lift
from pushforward.objectives.estimators.table import check


def pathwise(f: Function, samples: Samples, dist: Distribution, *, jacobians: bool = False) -> Estimate:
    """Estimate ∇ E_q[f(z)] by differentiating f at z = g_θ(ε), where f must be differentiable.

    A jump of f contributes nothing to ∂f/∂z, so its part of the gradient is missed: take another
    estimator. Raises UserError for a distribution without `rsample`, or an f that loses the graph of z.
    """
    check("pathwise", samples, dist)
    q = lift(dist, samples, jacobians=jacobians)
    z = q.dist.rsample()
    values = evaluate(f, z, q)
    if z.requires_grad and torch.is_grad_enabled() and not values.requires_grad:
        raise UserError(
            "f: its value carries no gradient with respect to z, expected a differentiable f; remove "
            "detach, no_grad or .numpy() from it, or take score-function or rloo"
        )
    return finish(values, q, jacobians=jacobians)
