"""The score function estimator (REINFORCE), with a baseline that the caller knows.

R. J. Williams, *Simple statistical gradient-following algorithms for connectionist reinforcement learning*,
Machine Learning 8, 1992, Theorem 1, for a policy of one step:

    ∇_θ E_q[f(z)] = E_q[(f(z) - b) ∇_θ ln q_θ(z)]

for any b that does not depend on z: nothing (b = 0), a constant, or a moving average of past values.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
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
from pushforward.objectives.estimators.table import check


def score_function(
    f: Function,
    samples: Samples,
    dist: Distribution,
    *,
    baseline: float | Tensor = 0.0,
    jacobians: bool = False,
) -> Estimate:
    """Estimate ∇ E_q[f(z)] by (f(z) - b) ∇ ln q(z); f may be a black box in z.

    baseline: b, a number or a tensor of the batch shape, made without these draws.
    Raises UserError for a distribution whose support moves with its parameters.
    """
    check("score-function", samples, dist)
    q = lift(dist, samples, jacobians=jacobians)
    z = draw(q, samples)
    values = evaluate(f, z, q)
    signal = subtract(values, baseline, "baseline")
    return finish(score_terms(values, signal, q.dist.log_prob(z)), q, jacobians=jacobians)


def score_terms(
    values: Float[Tensor, "n *batch"], signal: Float[Tensor, "n *batch"], log_q: Float[Tensor, "n *batch"]
) -> Float[Tensor, "n *batch"]:
    """The values, with the gradient ∇f + signal ∇ ln q."""
    return values + signal.detach() * zero_with_gradient(log_q)


class MovingAverage(nn.Module):
    """A baseline: the exponential moving average of past values of f.

    Call it for the baseline, and `update` it with the values *after* it was used, so that it stays
    independent of the draws: `average.update(estimate.surrogate / batch_size)`. decay: per update.
    """

    mean: Tensor
    weight: Tensor

    def __init__(self, *, decay: float = 0.9) -> None:
        super().__init__()
        if not 0 <= decay < 1:
            raise UserError(f"decay: given {decay}, expected a number in [0, 1), such as 0.9")
        self.decay = decay
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("weight", torch.zeros(()))

    def forward(self) -> Float[Tensor, ""]:
        """The average so far, corrected for its start at 0; 0 before the first update."""
        return self.mean / self.weight.clamp(min=torch.finfo(self.weight.dtype).tiny)

    @torch.no_grad()
    def update(self, values: Tensor) -> None:
        """Move towards the mean of `values`, of any shape."""
        self.mean.lerp_(values.detach().to(self.mean.dtype).mean(), 1 - self.decay)
        self.weight.lerp_(torch.ones_like(self.weight), 1 - self.decay)
