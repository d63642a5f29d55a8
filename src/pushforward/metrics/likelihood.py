"""Numbers that summarise log-likelihoods."""

from __future__ import annotations

import math

from jaxtyping import Float
from torch import Tensor


def bits_per_dimension(
    log_prob: Float[Tensor, "*n"], dimensions: int, bin_width: float = 1.0
) -> Float[Tensor, "*n"]:
    """Bits per pixel and channel from nats per image.

    log_prob: ln p(x) in nats. dimensions: C*H*W. bin_width: the width of a pixel level on the
    scale of the density, 1 for a mass function: -ln P(level) = -ln p - ln width where the density is
    flat over a level.
    """
    return (-log_prob / dimensions - math.log(bin_width)) / math.log(2)
