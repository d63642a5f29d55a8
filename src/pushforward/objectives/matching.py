"""For each datum the nearest of many samples: what implicit maximum likelihood regresses on."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int64
from torch import Tensor


def root_mean_squares(x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
    """How far each x is from each y: the root of the mean squared difference of their numbers."""
    return torch.cdist(x.float(), y.float()) / math.sqrt(x.shape[1])


def nearest_matches(
    distances: Float[Tensor, "n m"], epsilon: float = 0.0
) -> tuple[Int64[Tensor, " n"], Float[Tensor, " n"], Float[Tensor, ""]]:
    """The nearest sample of each datum that is left, how far it is, and the share of samples rejected.

    distances: of data (rows) to samples (columns). epsilon: a sample nearer than this to any datum is
    rejected (Vashist et al. 2024); with 0 none is. Where all would be, none is.
    """
    rejected = (distances < epsilon).any(0)
    rejected = rejected & ~rejected.all()
    found = distances.masked_fill(rejected, math.inf).min(1)
    return found.indices, found.values, rejected.float().mean()
