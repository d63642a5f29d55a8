"""Train a method on a mixture with known modes in a cell, and count what it finds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from pushforward.core import Algorithm
from pushforward.data import Dataset, Stream, load_splits
from pushforward.ensembles.adagan import boost, component_seed
from pushforward.ensembles.recipe import AdaGANRecipe
from pushforward.ensembles.weighting import Weighting
from pushforward.experiments.harness.experiment import Cell, Figure
from pushforward.methods import recipe_class
from pushforward.metrics.modes import mode_statistics
from pushforward.training.fit import fit

SAMPLES = 2500
ORACLE = "perfect sampler"
MODES, QUALITY, REVERSE_KL = "modes", "high quality", "reverse KL"
FIGURES = {MODES: Figure(), QUALITY: Figure("%"), REVERSE_KL: Figure("nats")}


def run(cell: Cell) -> dict[str, float]:
    """Train one, draw 2,500 samples, and count.

    options: toy; of all but the perfect sampler also method, its options, steps and batch; rates, of players
    that have one of their own; components, where AdaGAN boosts so many.
    """
    splits = load_splits(cell.options["toy"])
    return count(sample(cell, splits.train, splits.test), splits.train)


def sample(cell: Cell, train: Dataset, test: Dataset) -> torch.Tensor:
    """2,500 samples of the trained method, or held-out points."""
    if cell.method == ORACLE:
        generator = torch.Generator().manual_seed(cell.seed)
        return test.x[torch.randperm(len(test), generator=generator)[:SAMPLES]]
    asked = cell.options
    options = {k: tuple(v) if isinstance(v, list) else v for k, v in asked["options"].items()}
    if "components" in asked:
        model: Algorithm = _boosted(cell, train, options)
    else:
        model = _single(asked["method"], options, train, cell, seed=cell.seed, steps=asked["steps"])
    torch.manual_seed(cell.seed)
    drawn: torch.Tensor = model.sample(SAMPLES)  # type: ignore[operator]
    return drawn


def _single(
    method: str,
    options: dict[str, Any],
    train: Dataset,
    cell: Cell,
    *,
    seed: int,
    steps: int,
    weights: torch.Tensor | None = None,
) -> Algorithm:
    torch.manual_seed(seed)
    model: Algorithm = recipe_class(method)(**options).build(train.shape)
    weighted = None if weights is None else {"data": weights}
    stream = Stream({"data": train}, batch_size=cell.options["batch"], seed=seed, weights=weighted)
    rates = cell.options.get("rates", {})
    players = {name: replace(p, lr=rates.get(name, p.lr)) for name, p in model.players().items()}
    fit(model, stream, steps, players=players)
    return model


def _boosted(cell: Cell, train: Dataset, options: dict[str, Any]) -> Algorithm:
    """AdaGAN, whose components take the steps each."""
    asked = cell.options
    recipe = AdaGANRecipe(
        component=asked["method"], components=asked["components"], component_options=options
    )
    mixture = recipe.build(train.shape)

    def next_one(index: int, weighting: Weighting) -> Algorithm:
        own = component_seed(cell.seed, index)
        size = {"steps": asked["steps"], "weights": weighting.weights}
        return _single(asked["method"], options, train, cell, seed=own, **size)

    for _ in boost(mixture, train, recipe, train=next_one, batch_size=asked["batch"], seed=cell.seed):
        pass
    return mixture


def count(samples: torch.Tensor, train: Dataset) -> dict[str, float]:
    """Modes found, share of high quality in per cent, reverse KL in nats."""
    modes = train.modes
    assert modes is not None
    seen = mode_statistics(samples, torch.from_numpy(modes.centres), radius=modes.radius)
    return {MODES: float(seen.found), QUALITY: 100 * seen.quality, REVERSE_KL: seen.reverse_kl}
