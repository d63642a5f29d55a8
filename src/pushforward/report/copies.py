"""Samples above the training images that they are nearest to: what a copy would look like."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import UInt8
from torch import Tensor

from pushforward.abilities import Samples
from pushforward.core import to_float
from pushforward.metrics.memorisation import LEAST
from pushforward.metrics.neighbours import clouds, kth_squared_distances, nearest
from pushforward.models.model import Model
from pushforward.report.facts import affordable
from pushforward.report.inline import tiles

SHOWN, DRAWN = 12, 200
MOST_VALUES = 2 * 10**7  # numbers of the training images that are looked at


@dataclass(frozen=True)
class Neighbours:
    """A sample above its nearest training image, in pixels.

    ratio: their distance over that from this image to the nearest other training image; a copy has 0.
    """

    uri: str
    ratio: float


def nearest_pairs(model: Model, train: UInt8[Tensor, "n c h w"]) -> list[Neighbours]:
    """The samples of 200 that lie nearest to a training image, by the ratio; none where there are too few."""
    if not model.can(Samples) or len(train) < LEAST:
        return []
    most = max(LEAST, MOST_VALUES // math.prod(train.shape[1:]))
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))
    known = to_float(train[order[:most]])
    made = model.sample(affordable(model, DRAWN)).float()
    x, y = clouds(known.flatten(1), made.flatten(1))
    distance, index = nearest(y, x)
    usual = kth_squared_distances(x, 1)[index]
    ratios = (distance / usual.clamp(min=1e-12)).sqrt()
    return [
        Neighbours(tiles(torch.stack([made[i], known[index[i]]]), columns=1), float(ratios[i]))
        for i in ratios.argsort()[:SHOWN].tolist()
    ]
