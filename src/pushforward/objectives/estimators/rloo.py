"""The score function with a leave-one-out baseline (RLOO).

W. Kool, H. van Hoof and M. Welling, *Buy 4 REINFORCE samples, get a baseline for free!*, ICLR 2019
workshop; before it Salimans & Knowles 2014 and, for bounds, Mnih & Rezende 2016.

    (1/n) Σ_i (f(z_i) - (1/(n-1)) Σ_{j≠i} f(z_j)) ∇_θ ln q_θ(z_i)
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
)
from pushforward.objectives.estimators.score_function import score_terms
from pushforward.objectives.estimators.table import check


def rloo(f: Function, samples: Samples, dist: Distribution, *, jacobians: bool = False) -> Estimate:
    """Estimate ∇ E_q[f(z)] with the mean of the other draws as each draw's baseline; nothing to tune.

    Raises UserError for fewer than two draws. Jacobians of different draws depend on each other.
    """
    check("rloo", samples, dist)
    q = lift(dist, samples, jacobians=jacobians)
    z = draw(q, samples)
    values = evaluate(f, z, q)
    # f_i - mean of the others = n/(n-1) (f_i - mean of all)
    signal = (values - values.mean(0)) * (q.n / (q.n - 1))
    return finish(score_terms(values, signal, q.dist.log_prob(z)), q, jacobians=jacobians)
