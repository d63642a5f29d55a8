"""What a model translates: held-out images of each domain, their translation, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pushforward.abilities import Translates
from pushforward.core import to_float
from pushforward.metrics.pixels import mean_squared_error
from pushforward.models.model import Model
from pushforward.models.translation import source_of
from pushforward.report.facts import LEAST_IMAGES, MOST_IMAGES, Facts, affordable
from pushforward.report.inline import tiles
from pushforward.runs.reopen import pick

SHOWN = 6  # images by chance; half as many of the best and of the worst
BUDGET = MOST_IMAGES * 64 * 64  # pixels of all images that are translated and back


@dataclass(frozen=True)
class Cycle:
    """An image, its translation and what comes back. name: of its file. error: mean square, intensities in
    [0, 1]. There is neither for a model that translates in one direction alone."""

    name: str
    x: str
    there: str
    back: str | None
    error: float | None


@dataclass(frozen=True)
class Direction:
    """From one domain to another. n: images that the best and the worst were found among."""

    source: str
    to: str
    n: int
    by_chance: list[Cycle]
    best: list[Cycle]
    worst: list[Cycle]


def take(facts: Facts) -> list[Direction]:
    """Every direction of a model that translates images; none of another, or where the data are missing."""
    model = facts.model
    if model is None or not facts.data or not model.can(Translates):
        return []
    if any(len(shape) != 3 for shape in model.shapes.values()):
        return []
    ways = {source_of(model, to): to for to in model.ability(Translates).into}
    return [_direction(facts, model, source, ways[source]) for source in model.shapes if source in ways]


def _direction(facts: Facts, model: Model, source: str, to: str) -> Direction:
    held_out = facts.data[source].held_out
    pixels = held_out.shape[1] * held_out.shape[2]
    most = max(LEAST_IMAGES, min(MOST_IMAGES, BUDGET // pixels))
    shown = pick(held_out, affordable(model, most), 0)
    x = to_float(shown.x)
    there = model.translate(x, to=to)
    chance = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[:SHOWN].tolist()
    if source not in model.ability(Translates).into:
        alone = [Cycle(shown.names[i], _picture(x, i), _picture(there, i), None, None) for i in chance]
        return Direction(source, to, len(x), alone, [], [])
    back = model.translate(there, to=source)
    errors = mean_squared_error(x, back)

    def cycles(rows: Sequence[int]) -> list[Cycle]:
        def one(i: int) -> Cycle:
            x_i, there_i, back_i = (_picture(images, i) for images in (x, there, back))
            return Cycle(shown.names[i], x_i, there_i, back_i, float(errors[i]))

        return [one(i) for i in rows]

    order = errors.argsort().tolist()
    few = min(SHOWN // 2, len(order) // 2)
    return Direction(
        source, to, len(x), cycles(chance), cycles(order[:few]), cycles(order[len(order) - few :])
    )


def _picture(images: Tensor, i: int) -> str:
    return tiles(images[i : i + 1])
