"""Sliced Wasserstein distance between points: W1 along a line, averaged over lines.

N. Bonneel, J. Rabin, G. Peyré and H. Pfister, *Sliced and Radon Wasserstein barycenters of measures*,
JMIV 2015.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.errors import UserError
from pushforward.objectives.divergences import sliced_w1


def sliced_wasserstein(a: Float[Tensor, "n d"], b: Float[Tensor, "m d"], *, lines: int = 128) -> float:
    """The mean over directions of W1 between the projections, in the data's units, in double.

    On a line W1 is the mean distance of the sorted points. lines: in the plane they stand at even angles; in
    more dimensions they are drawn from the global random stream. A shift by m scores |m| 2/π in the plane.
    Raises UserError where the sides have different numbers of points, or none.
    """
    if a.shape != b.shape or not len(a):
        raise UserError(f"a, b: shapes {tuple(a.shape)} and {tuple(b.shape)}; expected equal ones, not empty")
    along = _directions(a.shape[1], lines).to(a.device)
    return sliced_w1(a.double(), b.double(), directions=along).item()


def _directions(d: int, lines: int) -> Float[Tensor, "d lines"]:
    if d == 1:
        return torch.ones(1, 1, dtype=torch.float64)
    if d == 2:
        angles = math.pi / lines * torch.arange(lines, dtype=torch.float64)
        return torch.stack([angles.cos(), angles.sin()])
    drawn = torch.randn(d, lines, dtype=torch.float64)
    return drawn / drawn.norm(dim=0)
