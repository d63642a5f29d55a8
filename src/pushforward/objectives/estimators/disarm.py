"""DisARM: ARM with its uniform noise integrated out given the antithetic pair.

Z. Dong, A. Mnih and G. Tucker, *DisARM: an antithetic gradient estimator for binary latent variables*,
NeurIPS 2020; found at the same time as U2G by Yin, Ho, Yan, Qian & Zhou 2020:

    ½ (f(b) - f(b̃)) (-1)^b̃ 1[b ≠ b̃] σ(|φ|)
"""

from __future__ import annotations

from torch.distributions import Distribution

from pushforward.objectives.estimators.arm import antithetic_pair, logits
from pushforward.objectives.estimators.contract import (
    Estimate,
    Function,
    Samples,
    finish,
    lift,
    linear,
    over_event,
)
from pushforward.objectives.estimators.table import check


def disarm(f: Function, samples: Samples, dist: Distribution, *, jacobians: bool = False) -> Estimate:
    """Estimate ∇ E_q[f(z)] from antithetic pairs, with never more variance than ARM.

    f may be a black box in z; a draw evaluates it twice. Raises UserError for anything but a Bernoulli.
    """
    check("disarm", samples, dist)
    q = lift(dist, samples, jacobians=jacobians)
    _, b, b_tilde, values, difference = antithetic_pair(f, q)
    # (-1)^b̃ 1[b ≠ b̃] = b - b̃
    gradient = over_event(difference / 2, b) * (b - b_tilde) * logits(q).abs().sigmoid()
    return finish(values + linear(gradient, logits(q), len(q.batch_shape)), q, jacobians=jacobians)
