"""The straight-through estimator.

Y. Bengio, N. Léonard and A. Courville, *Estimating or propagating gradients through stochastic neurons for
conditional computation*, arXiv:1308.3432, 2013, in the form that differentiates the mean:

    f'(z) ∇_θ p,   z ~ q_θ,   p = E_q[z]

Exact where f is linear in each coordinate of z, biased otherwise, and nothing shrinks the bias.
"""

from __future__ import annotations

from torch.distributions import Distribution

from pushforward.objectives.estimators.contract import (
    Estimate,
    Function,
    Samples,
    draw,
    evaluate,
    finish,
    lift,
    zero_with_gradient,
)
from pushforward.objectives.estimators.relaxations import relaxable
from pushforward.objectives.estimators.table import check


def straight_through(
    f: Function, samples: Samples, dist: Distribution, *, jacobians: bool = False
) -> Estimate:
    """Estimate ∇ E_q[f(z)] by f'(z) ∇p: f gets the discrete z, its gradient passes as if by p. Biased.

    The surrogate's value is the mean of f(z), and f's other gradients are exact.
    """
    check("straight-through", samples, dist)
    q = lift(dist, samples, jacobians=jacobians)
    z = draw(q, samples) + zero_with_gradient(relaxable(q.factors).probs)
    return finish(evaluate(f, z, q), q, jacobians=jacobians)
