"""Precision, recall, density and coverage: is what is made like the data, and is all of the data made?

T. Kynkäänniemi et al., *Improved Precision and Recall Metric for Assessing Generative Models*, NeurIPS 2019
(precision, recall). M. F. Naeem, S. J. Oh, Y. Uh, Y. Choi and J. Yoo, *Reliable Fidelity and Diversity
Metrics for Generative Models*, ICML 2020 (density, coverage), whose package `prdc` gives the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.errors import UserError
from pushforward.metrics.features import checked
from pushforward.metrics.neighbours import clouds, inside, kth_squared_distances

K = 5  # neighbours, as in both papers' comparison
LEAST = 10  # rows


@dataclass(frozen=True)
class PRDC:
    """precision: share of samples in a ball about a real image. recall: share of real images in a ball about
    a sample. density: balls of real images that hold a sample, over k, on average; it may exceed 1. coverage:
    share of real images whose ball holds a sample. A ball reaches to the k-th nearest of its own kind.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def prdc(real: Float[Tensor, "n d"], fake: Float[Tensor, "m e"], *, k: int = K) -> PRDC:
    """All four of features of real images and of samples, as in double precision.

    A point on the rim of a ball is outside, so balls of radius 0, of images with k copies, hold nothing.
    Raises UserError for fewer than 10 rows, other features, or k that is no number of others.
    """
    checked(LEAST, real=real, fake=fake)
    if not 1 <= k < min(len(real), len(fake)):
        raise UserError(f"`k`: {k}; expected from 1 to {min(len(real), len(fake)) - 1}, the rows less one")
    x, y = clouds(real, fake)
    of_real, of_fake = kth_squared_distances(x, k), kth_squared_distances(y, k)
    balls = torch.zeros(len(fake), dtype=torch.int64)  # of real images, that hold each sample
    recalled = covered = 0
    for _, holds, held in inside(x, y, of_x=of_real, of_y=of_fake):
        balls += holds.sum(0)
        covered += int(holds.any(1).sum())
        recalled += int(held.any(1).sum())
    n = len(real)
    return PRDC(
        precision=(balls > 0).double().mean().item(),
        recall=recalled / n,
        density=balls.double().mean().item() / k,
        coverage=covered / n,
    )
