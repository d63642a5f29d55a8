"""The units of points, in which networks do not learn."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.config import RunConfig
from pushforward.data.named import NAMED


def standardizes(config: RunConfig, stream: str) -> bool:
    """Whether a run shows its networks standardised points."""
    asked = config.train.standardize
    return config.sources[stream] not in NAMED if asked == "auto" else asked == "yes"


def moments(points: Float[Tensor, "n d"]) -> tuple[Float[Tensor, " d"], Float[Tensor, " d"]]:
    """Mean and standard deviation of each number, taken in double; 1 where a number never changes."""
    wide = points.to(torch.float64)
    centre, spread = wide.mean(0), wide.std(0, correction=0)
    # What is constant in single precision may have a spread of rounding alone.
    constant = spread <= 1e-7 * wide.abs().amax(0)
    return centre, torch.where(constant, torch.ones_like(spread), spread)
