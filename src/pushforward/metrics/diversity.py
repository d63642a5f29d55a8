"""How varied samples are beside real data, where no modes are known: spread, near-duplicates, cells.

Cells are the bins of E. Richardson and Y. Weiss, *On GANs and GMMs*, NeurIPS 2018, section 3: k-means of real
data, and the share of samples that falls into each. A sample belongs to the nearest centre however far it is,
so that a blurred image still counts for the kind of image that it was meant to be. Near-duplicates are those
of S. Arora and Y. Zhang, *Do GANs actually learn the distribution?*, 2017, told by a distance instead of by
eye. Distances are Euclidean; images are first averaged down to at most 16 pixels a side.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

CELLS = 20
LLOYD_STEPS = 15
NEAR = 0.25  # of the usual distance from a real image to the nearest other


def mean_distance(x: Float[Tensor, "n f"]) -> float:
    """Mean Euclidean distance of two different rows; in the data's units. 0 where all are equal.

    Of the rows and the rows shifted by 1, 2, 3, 5 and 8 places: unbiased for rows in random order, and linear
    in n.
    """
    n = len(x)
    shifts = [s for s in (1, 2, 3, 5, 8) if s < n]
    if not shifts:
        return 0.0
    x = x.double()
    return torch.stack([(x - x.roll(s, 0)).norm(dim=1).mean() for s in shifts]).mean().item()


def nearest_distances(x: Float[Tensor, "n f"]) -> Float[Tensor, " n"]:
    """From each row to the nearest other row. Needs two rows."""
    distances = torch.cdist(x.double(), x.double())
    return distances.fill_diagonal_(float("inf")).amin(1)


def near_duplicates(x: Float[Tensor, "n f"], usual: float) -> float:
    """The share of rows with another row nearer than a quarter of `usual`.

    usual: the median of `nearest_distances` among as many real rows.
    """
    return (nearest_distances(x) < NEAR * usual).double().mean().item()


@dataclass(frozen=True)
class Cells:
    """Where real data lie. centres: (k, f). weights: the share of real rows of each, which sum to 1."""

    centres: Float[Tensor, "k f"]
    weights: Float[Tensor, " k"]

    def counts(self, x: Float[Tensor, "n f"]) -> Int[Tensor, " k"]:
        """Rows whose nearest centre it is, of each."""
        nearest = torch.cdist(x, self.centres.to(x.device)).argmin(1)
        return torch.bincount(nearest, minlength=len(self.centres)).cpu()


def cells(real: Float[Tensor, "n f"], k: int = CELLS) -> Cells:
    """k-means of real rows: the same for the same rows. Fewer cells where there are fewer than 25 rows each.

    Centres start at rows drawn far from each other (k-means++, Arthur & Vassilvitskii 2007), from a seed of
    their own.
    """
    k = max(1, min(k, len(real) // 25))
    generator = torch.Generator().manual_seed(0)
    centres = real[torch.randint(len(real), (1,), generator=generator)]
    for _ in range(k - 1):
        squares = torch.cdist(real, centres).amin(1).square().double().cpu()
        if not squares.sum() > 0:
            break  # fewer different rows than cells
        centres = torch.cat([centres, real[torch.multinomial(squares, 1, generator=generator)]])
    for _ in range(LLOYD_STEPS):
        nearest = torch.cdist(real, centres).argmin(1)
        counts = torch.bincount(nearest, minlength=len(centres))
        sums = torch.zeros_like(centres).index_add_(0, nearest, real)
        centres = torch.where(counts[:, None] > 0, sums / counts[:, None].clamp(min=1), centres)
    nearest = torch.cdist(real, centres).argmin(1)
    counts = torch.bincount(nearest, minlength=len(centres)).cpu()
    return Cells(centres.cpu(), counts / counts.sum())
