"""The exact expectation by enumeration: the oracle of the other estimators.

    E_q[f(z)] = Σ_z q_θ(z) f(z)

for a finite event of at most 65,536 configurations: 16 Bernoulli variables, say, or 4 of 16 categories.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Shaped
from torch import Tensor
from torch.distributions import Bernoulli, Categorical, Distribution, OneHotCategorical

from pushforward.objectives.estimators.contract import (
    Estimate,
    Function,
    Samples,
    evaluate,
    finish,
    full_precision,
    lift,
    unwrap,
)
from pushforward.objectives.estimators.table import check


def exact(f: Function, samples: Samples, dist: Distribution, *, jacobians: bool = False) -> Estimate:
    """∇ E_q[f(z)] by summing over all z in one call of f; differentiable as often as f is.

    samples: the number of draws is not used, since nothing is drawn; Jacobians have one row. A distribution
    made of `probs` that are 0 or 1 exactly has no gradient there: torch clamps them to the inside before it
    takes their logarithm. Raises UserError for distributions that are not finite, or too large to enumerate.
    """
    check("exact", samples, dist)
    q = lift(dist, 1, jacobians=jacobians)
    z = full_precision(every_value(dist))
    values = evaluate(f, z, q)
    terms = q.dist.log_prob(z).exp() * values
    return finish(terms.sum(0, keepdim=True), q, jacobians=jacobians)


def every_value(dist: Distribution) -> Shaped[Tensor, "m *z"]:
    """All m values of the event, for every batch entry: (m, *batch, *event)."""
    factors, _ = unwrap(dist)
    assert isinstance(factors, Bernoulli | Categorical | OneHotCategorical)
    one_hot = isinstance(factors, OneHotCategorical)
    variables = dist.event_shape[:-1] if one_hot else dist.event_shape
    levels = 2 if isinstance(factors, Bernoulli) else factors.logits.shape[-1]
    values = torch.arange(levels, device=factors.logits.device)
    grid = torch.cartesian_prod(*[values] * max(1, variables.numel())).reshape(-1, *variables)
    if one_hot:
        grid = F.one_hot(grid, levels)
    z = grid.view(len(grid), *[1] * len(dist.batch_shape), *dist.event_shape)
    dtype = torch.long if isinstance(factors, Categorical) else factors.logits.dtype
    return z.to(dtype).expand(len(grid), *dist.batch_shape, *dist.event_shape)
