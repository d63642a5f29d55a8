"""Distances to nearest neighbours and members of balls, exactly, without a matrix of all pairs.

Products are in single precision, of centred features and block by block; what they leave open, because it
lies within their rounding error of the decision, is computed again in double. So the answers are those of
double precision, for a fraction of its time and memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

BLOCK = 256  # rows whose distances to all others are in memory together
PAIRS = 256  # pairs whose differences are computed together: they stay in the cache
SPARE = 3  # neighbours beyond the k-th that are measured exactly
# Of a product of centred rows in single precision, as a share of their squared norms: eps is 6e-8, and the
# error of a sum grows with the root of its length. Checked in tests against double.
ROUNDING = 4e-6


@dataclass(frozen=True)
class Cloud:
    """Rows as they came, about a common centre in single precision, and their squared norms there."""

    rows: Float[Tensor, "n d"]
    single: Float[Tensor, "n d"]
    norms: Float[Tensor, " n"]

    def __len__(self) -> int:
        return len(self.rows)


def clouds(*sets: Float[Tensor, "_ d"]) -> list[Cloud]:
    """Sets of rows, centred at the mean of the first, which changes no distance and saves digits."""
    centre = sets[0].mean(0, dtype=torch.float64)
    centred = (torch.cat([(part - centre).float() for part in x.split(BLOCK)]) for x in sets)
    return [Cloud(x, c, c.square().sum(1)) for x, c in zip(sets, centred, strict=True)]


def kth_squared_distances(x: Cloud, k: int) -> Float[Tensor, " n"]:
    """From each row to its k-th nearest other row, squared. Needs k + 1 rows."""
    return torch.cat([_nearest(x, x, rows, near, k)[0] for rows, near in _blocks(x, x)])


def nearest(x: Cloud, y: Cloud) -> tuple[Float[Tensor, " n"], Int[Tensor, " n"]]:
    """(squared distance, index) of the row of y that is nearest to each row of x. The first of equal ones."""
    found = [_nearest(x, y, rows, near, 1) for rows, near in _blocks(x, y)]
    return torch.cat([f[0] for f in found]), torch.cat([f[1] for f in found])


def inside(
    x: Cloud, y: Cloud, *, of_x: Float[Tensor, " n"] | None = None, of_y: Float[Tensor, " m"] | None = None
) -> Iterator[tuple[slice, Bool[Tensor, "b m"], Bool[Tensor, "b m"]]]:
    """Which rows lie strictly within balls, by blocks of rows of x.

    of_x, of_y: squared radii of the balls about the rows of x and of y. Yields (rows of x, whether each row
    of y lies in the ball of the row of x, whether the row of x lies in the ball of each row of y).
    """
    nothing = torch.zeros(0, dtype=torch.bool)
    for rows, near in _blocks(x, y):
        slack = _slack(x, y, rows)
        mine = nothing if of_x is None else _decided(x, y, rows, near, of_x[rows, None], slack)
        theirs = nothing if of_y is None else _decided(x, y, rows, near, of_y[None], slack)
        yield rows, mine, theirs


def _blocks(x: Cloud, y: Cloud) -> Iterator[tuple[slice, Tensor]]:
    """Approximate squared distances of some rows of x to all of y; infinite to themselves."""
    for start in range(0, len(x), BLOCK):
        rows = slice(start, min(len(x), start + BLOCK))
        near = torch.addmm(y.norms, x.single[rows], y.single.T, alpha=-2).add_(x.norms[rows, None])
        if x is y:
            near[:, rows].fill_diagonal_(float("inf"))
        yield rows, near


def _slack(x: Cloud, y: Cloud, rows: slice) -> Float[Tensor, "b 1"]:
    return ROUNDING * (x.norms[rows, None] + y.norms.max())


def _decided(
    x: Cloud, y: Cloud, rows: slice, near: Tensor, squared_radii: Tensor, slack: Tensor
) -> Bool[Tensor, "b m"]:
    radii = squared_radii.float()
    low = near < radii - slack
    i, j = torch.nonzero((near < radii + slack) ^ low, as_tuple=True)
    if len(i):
        limits = squared_radii.expand(len(near), near.shape[1])[i, j]
        low[i, j] = _exactly(x, y, i + rows.start, j) < limits
    return low


def _nearest(x: Cloud, y: Cloud, rows: slice, near: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """(squared distance, index) of the k-th nearest for each row of a block."""
    others = near.shape[1] - (x is y)
    taken = min(others, k + SPARE)
    rough, candidates = near.topk(taken, dim=1, largest=False)
    index = candidates[:, k - 1].clone()
    own = torch.arange(rows.start, rows.stop)
    value = _exactly(x, y, own, index)
    # Where its neighbours in the order are too near to tell, they are measured too.
    beside = rough.diff(dim=1)[:, max(0, k - 2) : k] <= 2 * _slack(x, y, rows)
    for row in torch.nonzero(beside.any(1)).flatten().tolist():
        value[row], index[row] = _settled(x, y, rows.start + row, candidates[row], k)
    if taken < others:  # whoever was left out may still be nearer
        open_ = value.float() >= rough[:, -1] - 2 * _slack(x, y, rows).squeeze(1)
        for row in torch.nonzero(open_).flatten().tolist():
            value[row], index[row] = _settled(x, y, rows.start + row, torch.arange(len(y)), k)
    return value, index


def _settled(x: Cloud, y: Cloud, row: int, candidates: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k-th nearest among candidates, exactly; the first of equal ones."""
    candidates = candidates.sort().values
    distances = _exactly(x, y, torch.full_like(candidates, row), candidates)
    if x is y:
        distances[candidates == row] = float("inf")
    values, order = distances.sort(stable=True)
    return values[k - 1], candidates[order[k - 1]]


def _exactly(x: Cloud, y: Cloud, i: Tensor, j: Tensor) -> Float[Tensor, " p"]:
    """Squared distances of pairs of rows, in double."""
    parts = zip(i.split(PAIRS), j.split(PAIRS), strict=True)
    return torch.cat([(x.rows[a].double() - y.rows[b].double()).square().sum(1) for a, b in parts])
