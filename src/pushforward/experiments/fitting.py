"""Train a small model in a cell, without a run folder, and read off what it came to."""

from __future__ import annotations

from collections import defaultdict
from typing import TypeVar

import torch
from torch import Tensor

from pushforward.core import Algorithm, Clock
from pushforward.data import Dataset, Stream
from pushforward.training.optim import build_optimizers, set_rates
from pushforward.training.steps import Stepper

A = TypeVar("A", bound=Algorithm)
LAST = 0.1  # share of the run over which reports are averaged


def fit(
    algorithm: A,
    images: Dataset,
    *,
    steps: int,
    seed: int,
    batch_size: int = 100,
    weights: Tensor | None = None,
) -> tuple[A, dict[str, float]]:
    """Take the steps. Returns the algorithm in eval mode, and the mean of each loss and info at the end.

    "At the end" is the last tenth of the run: one step's report is a noisy batch of a moving model. weights:
    of the rows, where they are not drawn alike.
    """
    players = algorithm.players()
    optimizers = build_optimizers(players)
    stepper = Stepper(algorithm, players, optimizers)
    weighted = None if weights is None else {"data": weights}
    draw = Stream({"data": images}, batch_size=batch_size, seed=seed, weights=weighted)
    algorithm.clock = Clock(steps=steps)
    algorithm.train()
    seen = defaultdict(list)
    for step in range(steps):
        algorithm.clock.step = step
        set_rates(optimizers, players, algorithm.clock)
        reported = stepper(draw)
        if step >= steps - max(1, round(LAST * steps)):
            for name, value in reported.items():
                seen[name.removeprefix("info/")].append(value.detach())
    return algorithm.eval(), {name: torch.stack(values).mean().item() for name, values in seen.items()}
