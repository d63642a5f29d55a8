"""How much a latent code may carry: penalties and multipliers for the KL term of a bound.

Maximising E_q[ln p(x|z)] subject to KL ≤ δ has the Lagrangian E_q[ln p(x|z)] - β(KL - δ), β ≥ 0. By Karush,
Kuhn and Tucker the optimum is feasible (KL ≤ δ), and complementary: β (KL - δ) = 0. So every fixed β is the
multiplier of the constraint δ = KL that it leads to, and dual ascent finds the β of a given δ.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

# A multiplier in logarithms cannot leave an infinity again, nor a zero: these are far enough.
LOG_MULTIPLIER_REACH = 14.0
DISTORTION_CLAMP = 0.1


def capacity_penalty(kl: Float[Tensor, ""], capacity: float, *, gamma: float) -> Float[Tensor, ""]:
    """γ |KL - C| in nats. Burgess et al. 2018, eq. 8.

    kl: mean over the batch. Not additive over samples: the mean of several processes' penalties is not the
    penalty of their mean, where these fall on both sides of C.
    """
    return gamma * (kl - capacity).abs()


def free_bits(kl: Float[Tensor, "b d"], *, nats: float) -> Float[Tensor, ""]:
    """Σ_j max(λ, E_x[KL_j]), with λ nats free in each dimension. Kingma et al. 2016, eq. 15.

    Not additive over samples, because the maximum is taken of the batch's mean.
    """
    return kl.mean(0).clamp(min=nats).sum()


def warm_up(fraction: float, *, share: float) -> float:
    """A weight that rises linearly from 0 to 1 in the first `share` of the run. Bowman et al. 2016.

    fraction: finished share of the run, in [0, 1].
    """
    return 1.0 if share <= 0 else min(1.0, fraction / share)


def relative_rate_excess(kl: Float[Tensor, ""], bound: float) -> Float[Tensor, ""]:
    """(KL - δ)/δ, clamped to [-1, 1]: how far the constraint KL ≤ δ is violated."""
    return ((kl - bound) / bound).clamp(-1, 1)


def relative_distortion_excess(
    distortion: Float[Tensor, ""],
    bound: float,
    *,
    kl: Float[Tensor, ""],
    log_multiplier: Float[Tensor, ""],
) -> Float[Tensor, ""]:
    """λ (D - κ)/KL, clamped to [-0.1, 0.1]: how far the constraint D ≤ κ is violated.

    Where KL + λD is least, a nat of D costs λ nats of KL: so this is the violation in the currency of the
    KL, as a share of it, and one rate of ascent serves images and likelihoods of every size. The clamp is
    narrow because a network that has yet to learn violates every κ: without it λ winds up meanwhile.
    """
    excess = log_multiplier.exp() * (distortion - bound) / kl.clamp(min=1e-6)
    return excess.clamp(-DISTORTION_CLAMP, DISTORTION_CLAMP)


def ascend(
    log_multiplier: Float[Tensor, ""], violation: Float[Tensor, ""], *, rate: float
) -> Float[Tensor, ""]:
    """One step of dual ascent in the logarithm, ln β + η·violation, so that β stays positive.

    Rezende & Viola 2018, Algorithm 1. Of a constraint that stays slack the multiplier tends to 0.
    """
    return (log_multiplier + rate * violation).clamp(-LOG_MULTIPLIER_REACH, LOG_MULTIPLIER_REACH)


def moving_average(
    total: Float[Tensor, "*n"], weight: Float[Tensor, ""], value: Float[Tensor, "*n"], *, decay: float
) -> tuple[Float[Tensor, "*n"], Float[Tensor, ""]]:
    """The next (total, weight) of an exponential average, which is total/weight: unbiased from the start.

    Both begin at 0.
    """
    return torch.lerp(value, total, decay), torch.lerp(torch.ones_like(weight), weight, decay)
