"""Samples of a model of points, in front of held-out ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from pushforward.abilities import Samples
from pushforward.data import Dataset
from pushforward.models.model import Model
from pushforward.pictures.points import Scene
from pushforward.report import svg

DRAWN, BEHIND = 1000, 600  # points: more would only make the page heavy


@dataclass(frozen=True)
class Cloud:
    """Points as the model draws them. n: how many. outside: how many the picture does not reach."""

    svg: str
    n: int
    outside: int


def cloud(model: Model, real: Dataset) -> Cloud | None:
    """New points, and held-out ones behind them; None where the model cannot sample."""
    if not model.can(Samples):
        return None
    scene = Scene.of(real.x)
    seen = scene.see(model.sample(DRAWN))
    left, right, bottom, top = scene.limits
    inside = (seen >= torch.tensor([left, bottom])) & (seen <= torch.tensor([right, top]))
    drawing = svg.cloud(
        seen[inside.all(1)].tolist(),
        scene.real[:BEHIND].tolist(),
        scene.limits,
        names=scene.names,
        square=scene.square,
        label="Points drawn by the model in front of held-out ones",
    )
    return Cloud(drawing, DRAWN, scene.outside(seen))
