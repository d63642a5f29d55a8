"""One look at a game: the samples, the units of the generator, the critic, the gradient that it passes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from pushforward.abilities import GAME, Adversarial, Game, offers
from pushforward.core import Algorithm, Batch, Clock, Draw, to_float
from pushforward.data import Dataset
from pushforward.diagnostics import critic as judge
from pushforward.diagnostics.dead_units import LayerActivity, watched
from pushforward.diagnostics.mode_collapse import (
    Collapse,
    collapse_in_cells,
    collapse_in_modes,
)
from pushforward.features.pixels import pooled_pixels
from pushforward.metrics import diversity
from pushforward.metrics.modes import mode_statistics

POINTS, IMAGES = 2500, 1000  # samples that modes are counted among
CHUNK = 250  # images generated at once
SCORED_POINTS, SCORED_IMAGES = 512, 128


@dataclass(frozen=True)
class Exam:
    """What one look at a game came to.

    counts: samples by their nearest mode or cell; due: what each would have of as many samples of the data.
    samples: figures of them, by name. layers: the generator's rectifiers, from the inputs on. separation,
    saturation, slope: of the critic; no slope of a critic of pairs. gap: its mean score of real less that of
    generated data. gradient: the norm that reaches the
    generator in a training step from here; None where a step has no loss for it.
    """

    game: Game
    collapse: Collapse
    counts: Tensor
    due: list[float]
    samples: Mapping[str, float]
    layers: Mapping[str, LayerActivity]
    separation: float
    gap: float
    saturation: float
    slope: judge.Lipschitz | None
    gradient: float | None

    @property
    def metrics(self) -> dict[str, float]:
        """What to log."""
        figures = dict(self.samples)
        numbered = enumerate(self.layers.values(), 1)  # those with a slope have no dead units
        figures |= {f"dead_units_{i}": layer.dead for i, layer in numbered if not layer.slope}
        figures["critic_accuracy"] = self.separation
        if self.game.sigmoid:
            figures["critic_saturation"] = self.saturation
        if self.slope is not None:
            figures |= {"slope": self.slope.mean, "lipschitz": self.slope.largest}
        return figures if self.gradient is None else {**figures, "generator_gradient": self.gradient}

    @property
    def row(self) -> dict[str, object]:
        """What trends are read from, JSON-able: see `diagnose`."""
        return {
            "modes": self.counts.tolist(),
            "due": self.due,
            "separation": self.separation,
            "saturation": self.saturation,
            "gap": self.gap,
            "slope": None if self.slope is None else self.slope.mean,
            "gradient": self.gradient,
        }


class Examiner:
    """Looks at one game of a model. What it needs of the real data is measured once, at the first look.

    data: what the model is trained on, by stream, with modes where they are known. game: its name.
    batch_size: of the training step that the generator's gradient is read from.
    """

    def __init__(self, data: Mapping[str, Dataset], *, game: str = GAME, batch_size: int) -> None:
        self.data, self.game, self.batch_size = data, game, batch_size
        self._reference: Reference | None = None

    def look(self, algorithm: Algorithm, clock: Clock, device: torch.device) -> Exam | None:
        """Measure; None where a sample is not finite. Sets the seed, and draws from torch's random stream.

        The noise is the same at each look, so that changes are the model's. The model is in eval mode.
        """
        assert offers(algorithm, Adversarial)
        game = algorithm.games()[self.game]
        real = self.data[game.stream]
        points = real.x.ndim == 2
        n = POINTS if points else IMAGES
        if (
            real.modes is None
        ):  # cells of few real rows, and their nearest neighbours, are as rough as few samples
            n = min(n, *map(len, self.data.values()))  # inputs that are images must not repeat either
        n = max(n, game.critic.at_once)
        self._reference = self._reference or Reference(real, n)
        torch.manual_seed(0)
        draw = random_rows(self.data, self.batch_size, device)
        with watched(game.generator) as layers, torch.no_grad():
            z = game.inputs(draw, n)
            samples = torch.cat([game.generate(part) for part in z.split(n if points else CHUNK)])
        if not bool(torch.isfinite(samples).all()):
            return None
        collapse, counts, figures = self._reference.measure(samples)
        chosen = shuffled(len(real), seed=1)[: SCORED_POINTS if points else SCORED_IMAGES]
        separation, gap, saturation, slope = _of_critic(
            game, rows_of(real, chosen, device), samples, z, clock
        )
        return Exam(
            game,
            collapse,
            counts,
            self._reference.due(int(counts.sum())),
            figures,
            layers,
            separation,
            gap,
            saturation,
            slope,
            judge.generator_gradient(algorithm, draw, player=game.player),
        )


def _of_critic(
    game: Game, real: Batch, samples: Tensor, z: Tensor, clock: Clock
) -> tuple[float, float, float, judge.Lipschitz | None]:
    n = min(len(real.x), len(samples))
    n -= n % game.critic.at_once
    label = None if real.label is None else real.label[:n]
    with torch.no_grad():
        look = game.look(real.x[:n], samples[:n], z[:n], clock, label=label)
        of_real, of_fake = game.realness_in(look)
    slope = judge.lipschitz(look.critic, *look.seen()) if look.codes is None else None
    gap = (of_real.mean() - of_fake.mean()).item()
    return judge.separation(of_real, of_fake), gap, judge.saturation(of_fake), slope


def random_rows(data: Mapping[str, Dataset], batch_size: int, device: torch.device) -> Draw:
    """A draw of rows by chance, from torch's random stream: it leaves the run's own position alone.

    Rows of one draw differ, as far as there are as many: a translation of the same image twice would pass
    for a generator that repeats itself.
    """

    def draw(name: str = "data", n: int | None = None) -> Batch:
        own, n = data[name], n or batch_size
        rows = torch.cat([torch.randperm(len(own)) for _ in range(-(-n // len(own)))])
        return rows_of(own, rows[:n], device)

    return draw


def rows_of(data: Dataset, rows: Tensor, device: torch.device) -> Batch:
    """These rows of the data, as a draw gives them."""
    label = None if data.labels is None else data.labels[rows].to(device)
    return Batch(to_float(data.x[rows].to(device)), label, rows)


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
