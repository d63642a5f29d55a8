"""The health of adversarial training: modes, dead units, the critic, and the gradient that it passes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pushforward.core import Clock, to_float
from pushforward.data import Dataset
from pushforward.diagnostics import critic as judge
from pushforward.diagnostics.dead_units import LayerActivity
from pushforward.diagnostics.mode_collapse import (
    Collapse,
    collapse_in_cells,
    collapse_in_modes,
)
from pushforward.features.pixels import pooled_pixels
from pushforward.metrics import diversity
from pushforward.metrics.modes import mode_statistics
from pushforward.views import Look, Packing

POINTS, IMAGES = 2500, 1000  # samples that modes are counted among
CHUNK = 250  # images generated at once
SCORED_POINTS, SCORED_IMAGES = 512, 128


@dataclass(frozen=True)
class CriticFigures:
    """What one look at the critic came to; the slope is None for a critic of pairs."""

    separation: float
    saturation: float
    slope: judge.Lipschitz | None


class Reference:
    """Real data, measured once: their modes or cells, their spread, their near-duplicates."""

    def __init__(self, data: Dataset, n: int) -> None:
        real = pooled_pixels(to_float(data.x[shuffled(len(data), seed=0)[:n]].cpu()))
        self.modes = data.modes
        self.spread = diversity.mean_distance(real)
        if self.modes is None:
            self.cells = diversity.cells(real)
            nearest = diversity.nearest_distances(real)
            self.usual = nearest.median().item()
            self.duplicates = diversity.near_duplicates(real, self.usual)

    def due(self, n: int) -> list[float]:
        """How many of n samples of the data each mode or cell has on average."""
        if self.modes is not None:
            return [n / len(self.modes)] * len(self.modes)
        return [round(n * w, 2) for w in self.cells.weights.tolist()]

    def measure(self, samples: Tensor) -> tuple[Collapse, Tensor, dict[str, float]]:
        """The verdict, samples by their nearest mode or cell, and figures to log."""
        features = pooled_pixels(samples.cpu())
        spread = diversity.mean_distance(features) / self.spread if self.spread else 1.0
        if self.modes is not None:
            centres = torch.as_tensor(self.modes.centres)
            statistics = mode_statistics(features, centres, radius=self.modes.radius)
            known = {
                "modes": float(statistics.found),
                "high_quality": statistics.quality,
                "reverse_kl": statistics.reverse_kl,
            }
            collapse = collapse_in_modes(statistics, spread=spread)
            return collapse, statistics.nearest, {**known, "spread": spread}
        duplicates = diversity.near_duplicates(features, self.usual)
        collapse = collapse_in_cells(
            self.cells.counts(features),
            self.cells.weights,
            spread=spread,
            duplicates=duplicates,
            real_duplicates=self.duplicates,
        )
        held = len(self.cells.weights) - len(collapse.starved)
        figures = {"cells": float(held), "spread": spread, "near_duplicates": duplicates}
        return collapse, collapse.counts, figures


def shuffled(n: int, *, seed: int) -> Tensor:
    """The numbers below n in an order of their own."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))


def _scored(
    model: Any, x: Tensor, fake: Tensor, z: Tensor, clock: Clock
) -> tuple[Tensor, Tensor, Look | None]:
    """Scores of real and generated data; a look for the critic's slope, None for a critic of pairs.

    A critic of pairs is asked whether a pair is the generator's (VEEGAN), the other way round.
    """
    if hasattr(model, "reconstructor"):
        (look, *_) = model.critic(fake, x, clock, codes=(z, model.encode(x)))
        generated, real = look.pair()
        return -real, -generated, None
    (look, *_) = model.critic(x, fake, clock)
    return *look.pair(), look


def _packed(model: Any) -> int:
    """How many samples the critic sees at once."""
    return max([view.m for view in model.critic.views if isinstance(view, Packing)], default=1)


def _dead(layers: Mapping[str, LayerActivity]) -> dict[str, float]:
    """By the place of the rectifier from the noise outwards; those with a slope have no dead units."""
    return {f"dead_units_{i}": layer.dead for i, layer in enumerate(layers.values(), 1) if not layer.slope}


def _figures(seen: CriticFigures, gradient: float | None, *, sigmoid: bool) -> dict[str, float]:
    figures = {"critic_accuracy": seen.separation}
    if sigmoid:
        figures["critic_saturation"] = seen.saturation
    if seen.slope is not None:
        figures |= {"slope": seen.slope.mean, "lipschitz": seen.slope.largest}
    return figures if gradient is None else {**figures, "generator_gradient": gradient}
