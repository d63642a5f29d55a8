"""MIND: the squared Wasserstein distance of features along random lines.

Q. Berthet, Y.-H. Wu, C. Crepy, R. Elie, K. Greff and M. E. Sander, *MIND: Monge Inception Distance for
Generative Models Evaluation*, 2026: 3 d times the mean of W₂² over lines, d the number of features. It needs
no covariance, so fewer samples tell as much, and a sort takes the place of a matrix's root.

Deviation: features are those that are given; MIND is the name on Inception's.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.errors import UserError
from pushforward.metrics.features import checked

LEAST = 10  # rows
LINES = 512
FACTOR = 3  # the paper's


@dataclass(frozen=True)
class Mind:
    """value: in squared units of the features. standard_error: over rows of both sides and over lines."""

    value: float
    standard_error: float


def mind(a: Float[Tensor, "n d"], b: Float[Tensor, "m e"], *, lines: int = LINES, seed: int = 0) -> Mind:
    """3 d E_u W₂²(u·a, u·b) over directions u on the sphere.

    Of unequal numbers of rows the first of the longer set are taken. A shift by v adds 3 ‖v‖². The error is
    that of the delta method: a row moves W₂² by its Kantorovich potential (del Barrio and Loubes 2019).
    Where both sides are of one distribution it is too small. Raises UserError for fewer than 10 rows.
    """
    checked(LEAST, a=a, b=b)
    if lines < 2:
        raise UserError(f"`lines`: {lines}; expected at least 2, to have a spread")
    n, d = min(len(a), len(b)), a.shape[1]
    directions = torch.randn(d, lines, generator=torch.Generator().manual_seed(seed))
    directions = directions / directions.norm(dim=0)
    centre = b.float().mean(0)  # the same for both: it changes no distance, and saves digits
    x, x_order = ((a[:n].float() - centre) @ directions).T.contiguous().sort(1)
    y, y_order = ((b[:n].float() - centre) @ directions).T.contiguous().sort(1)
    gap = x - y
    along = gap.square().mean(1).double()
    rows = sum(_influence(p, g, o).var() / n for p, g, o in ((x, gap, x_order), (y, -gap, y_order)))
    error = (rows + along.var() / lines) ** 0.5
    return Mind(FACTOR * d * along.mean().item(), FACTOR * d * float(error))


def _influence(points: Float[Tensor, "l n"], gap: Float[Tensor, "l n"], order: Tensor) -> Float[Tensor, " n"]:
    """The mean over lines of the potential at each row: φ' = 2 (x - T(x)) between neighbours."""
    steps = points.diff(dim=1) * (gap[:, 1:] + gap[:, :-1])
    potential = torch.cat([torch.zeros_like(steps[:, :1]), steps.cumsum(1)], 1)
    potential -= potential.mean(1, keepdim=True)
    total = torch.zeros(points.shape[1])
    return total.index_add_(0, order.flatten(), potential.flatten()).double() / len(points)
