"""Measure-valued gradients: differences of f between draws of two coupled measures.

S. Mohamed, M. Rosca, M. Figurnov and A. Mnih, *Monte Carlo gradient estimation in machine learning*, JMLR
2020, section 6, coupled as in section 7. For one coordinate, the others at the draw z:

    Normal     ∂μ: (f(μ + σW) - f(μ - σW)) / (σ√(2π)),  W ~ Rayleigh(1)
               ∂σ: (f(μ + σM) - f(μ + σMU)) / σ,  M double-sided Maxwell, U uniform, MU standard normal
    Bernoulli  ∂p: f(1) - f(0)
    categories ∂p_k: f(k), against the draw itself

For finite variables this sums each coordinate out given the others (Titsias & Lázaro-Gredilla 2015).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.distributions import Bernoulli, Categorical, Distribution, Normal, OneHotCategorical

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
from pushforward.objectives.estimators.noise import exponential
from pushforward.objectives.estimators.table import check


def measure_valued(f: Function, samples: Samples, dist: Distribution, *, jacobians: bool = False) -> Estimate:
    """Estimate ∇ E_q[f(z)] by differences of f; f may be a black box in z.

    f is called twice: at the n draws, with a graph for its own parameters, and without one at each draw
    with one coordinate replaced. Raises UserError where that would be more than 128 evaluations per draw.
    """
    check("measure-valued", samples, dist)
    q = lift(dist, samples, jacobians=jacobians)
    if isinstance(q.factors, Normal):
        return _normal(f, q, q.factors, jacobians=jacobians)
    z = q.dist.sample()
    values = evaluate(f, z, q)
    assert isinstance(q.factors, Bernoulli | Categorical | OneHotCategorical)
    if isinstance(q.factors, Bernoulli):
        (flipped,) = evaluate_replaced(f, z, [1 - z], q)
        gradient = (2 * z - 1) * (over_event(values, z) - flipped)
    else:
        by_category = _each_category(f, z, q, q.factors)
        gradient = by_category - over_event(values, by_category)
    terms = values + linear(gradient, q.factors.probs, len(q.batch_shape))
    return finish(terms, q, jacobians=jacobians)


def _normal(f: Function, q: Lifted, normal: Normal, *, jacobians: bool) -> Estimate:
    mu, sigma = normal.loc.detach(), normal.scale.detach()
    rayleigh = (2 * exponential(mu)).sqrt()
    maxwell = torch.randn(3, *mu.shape, dtype=mu.dtype, device=mu.device).norm(dim=0)
    maxwell = torch.where(torch.rand_like(mu) < 0.5, maxwell, -maxwell)
    z = mu + sigma * maxwell * torch.rand_like(mu)
    values = evaluate(f, z, q)
    replacements = [mu + sigma * rayleigh, mu - sigma * rayleigh, mu + sigma * maxwell]
    right, left, wide = evaluate_replaced(f, z, replacements, q)
    by_mu = (right - left) / (sigma * math.sqrt(2 * math.pi))
    by_sigma = (wide - over_event(values, z)) / sigma
    batch_ndim = len(q.batch_shape)
    terms = values + linear(by_mu, normal.loc, batch_ndim) + linear(by_sigma, normal.scale, batch_ndim)
    return finish(terms, q, jacobians=jacobians)


def _each_category(
    f: Function, z: Shaped[Tensor, "n *z"], q: Lifted, factors: Categorical | OneHotCategorical
) -> Float[Tensor, "n *zk"]:
    """f with one variable set to category k and the others as drawn, for every variable and k."""
    k = factors.logits.shape[-1]
    if isinstance(factors, OneHotCategorical):
        index = z.argmax(-1)
        of_index: Function = lambda i: f(F.one_hot(i, k).to(q.dtype or z.dtype))  # noqa: E731
    else:
        index, of_index = z, f
    levels = [torch.full_like(index, level) for level in range(k)]
    return torch.stack(evaluate_replaced(of_index, index, levels, q), -1)


def evaluate_replaced(
    f: Function, z: Shaped[Tensor, "n *z"], replacements: list[Tensor], q: Lifted
) -> list[Tensor]:
    """For each replacement r, of z's shape, and each coordinate i of the event: f at z with z_i = r_i.

    One call of f without a graph. Each result has z's shape, its entry i being the value for coordinate i.
    """
    lead = z.shape[: 1 + len(q.batch_shape)]
    flat = z.reshape(*lead, -1)
    d = flat.shape[-1]
    one_at_a_time = torch.eye(d, dtype=torch.bool, device=z.device).view(d, *[1] * len(lead), d)
    variants = torch.cat([torch.where(one_at_a_time, r.reshape(*lead, d), flat) for r in replacements])
    with torch.no_grad():
        values = evaluate(f, variants.reshape(-1, *z.shape[1:]), q)
    by_coordinate = values.view(len(replacements), d, *lead).movedim(1, -1)
    return list(by_coordinate.reshape(len(replacements), *z.shape))
