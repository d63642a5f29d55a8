"""A mixture whose modes are known, so that what a model finds of them can be counted. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Modes:
    """Gaussians of equal weight around known centres.

    centres: float64, k d. sigma: standard deviation of a coordinate, where there is noise. noisy: how many
    of the d coordinates have any. radius: a sample is of high quality within this Euclidean distance of
    the nearest centre; rule: that, in words.
    """

    name: str
    centres: NDArray[np.float64]
    sigma: float
    noisy: int
    radius: float
    rule: str

    def __len__(self) -> int:
        return len(self.centres)
