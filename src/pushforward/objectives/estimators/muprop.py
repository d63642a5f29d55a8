"""The score function with a first-order Taylor control variate.

S. Gu, S. Levine, I. Sutskever and A. Mnih, *MuProp: unbiased backpropagation for stochastic neural
networks*, ICLR 2016, for one layer, where the mean-field value is the exact mean μ = E_q[z]:

    (f(z) - f(μ) - f'(μ)ᵀ(z - μ)) ∇_θ ln q_θ(z) + f'(μ)ᵀ ∇_θ μ

Deviations from the paper:
1. No moving-average or input-dependent baseline on top of the Taylor expansion.
"""

from __future__ import annotations

import torch
from torch.distributions import Distribution

from pushforward.objectives.estimators.contract import (
    Estimate,
    Function,
    Samples,
    draw,
    evaluate,
    finish,
    lift,
    linear,
    sum_event,
)
from pushforward.objectives.estimators.score_function import score_terms
from pushforward.objectives.estimators.table import check


def muprop(f: Function, samples: Samples, dist: Distribution, *, jacobians: bool = False) -> Estimate:
    """Estimate ∇ E_q[f(z)] with the Taylor expansion of f at E_q[z] as control variate.

    f is evaluated once more, at the mean: it must be differentiable and defined there, between 0 and 1 for
    a Bernoulli, inside the simplex for a OneHotCategorical.
    """
    check("muprop", samples, dist)
    q = lift(dist, samples, jacobians=jacobians)
    z = draw(q, samples)
    values = evaluate(f, z, q)
    batch_ndim = len(q.batch_shape)

    with torch.enable_grad():
        mu = q.dist.mean[:1].detach().requires_grad_()
        f_mu = evaluate(f, mu, q)
        (slope,) = torch.autograd.grad(f_mu.sum(), mu)
    expansion = f_mu.detach() + sum_event(slope * (z - mu), batch_ndim)

    terms = score_terms(values, values - expansion, q.dist.log_prob(z))
    return finish(terms + linear(slope, q.dist.mean, batch_ndim), q, jacobians=jacobians)
