"""Numbers that summarise log-likelihoods."""

from __future__ import annotations

import math
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor


class Estimate(NamedTuple):
    """A mean over images with the half-width of its 95 % normal confidence interval."""

    value: float
    ci95: float


def mean_interval(values: Float[Tensor, " n"]) -> Estimate:
    """Mean ± 1.96 standard errors, in double. One value has no interval: nan."""
    values = values.double()
    error = values.std().item() / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return Estimate(values.mean().item(), 1.96 * error)


def bits_per_dimension(log_prob: float, dimensions: int, bin_width: float = 1.0) -> float:
    """Bits per pixel and channel from nats per image.

    log_prob: mean ln p(x) in nats. dimensions: C*H*W. bin_width: the width of a pixel level on the
    scale of the density, 1 for a mass function: -ln P(level) = -ln p - ln width where the density is
    flat over a level.
    """
    return (-log_prob / dimensions - math.log(bin_width)) / math.log(2)
