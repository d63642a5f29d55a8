"""The score function with a learned, input-dependent baseline.

A. Mnih and K. Gregor, *Neural variational inference and learning in belief networks* (NVIL), ICML 2014:
the signal is f(z) - C_ψ(x) - c, and C_ψ descends the mean square of that signal.

Deviations from the paper:
1. The signal is not divided by a running standard deviation: that rescales the estimate by an amount that
   depends on the past, which Adam does for the encoder anyway, and costs the estimate its unbiasedness.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.distributions import Distribution

from pushforward.errors import UserError
from pushforward.objectives.estimators.contract import (
    Estimate,
    Function,
    Samples,
    draw,
    evaluate,
    finish,
    lift,
    subtract,
    zero_with_gradient,
)
from pushforward.objectives.estimators.score_function import score_terms
from pushforward.objectives.estimators.table import check


def nvil(
    f: Function,
    samples: Samples,
    dist: Distribution,
    *,
    baseline: Callable[[Tensor], Tensor],
    context: Tensor,
    constant: float | Tensor = 0.0,
    jacobians: bool = False,
) -> Estimate:
    """Estimate ∇ E_q[f(z)] by (f(z) - C_ψ(x) - c) ∇ ln q(z).

    baseline: C_ψ, from the context to the batch shape; the surrogate's gradient by ψ is that of the mean
    over draws, summed over the batch, of (f(z) - C_ψ(x) - c)². context: x, what q was computed from; no
    gradient passes into it. constant: c, usually a `MovingAverage()`. Raises UserError for C_ψ's shape.
    """
    check("nvil", samples, dist)
    q = lift(dist, samples, jacobians=jacobians)
    z = draw(q, samples)
    values = evaluate(f, z, q)
    predicted = baseline(context.detach())
    if predicted.shape != dist.batch_shape:
        raise UserError(
            f"baseline: returned shape {tuple(predicted.shape)}, expected the batch shape "
            f"{tuple(dist.batch_shape)}; end the network with .squeeze(-1)"
        )
    signal = subtract(values, constant, "constant") - predicted
    loss = signal.square().sum() / q.n
    terms = score_terms(values, signal, q.dist.log_prob(z))
    return finish(terms, q, jacobians=jacobians, state=zero_with_gradient(loss))
