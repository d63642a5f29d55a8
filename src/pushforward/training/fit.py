"""Train in memory: no run folder, no command line. For experiments, notebooks and tests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from pushforward.core import Algorithm, Clock, Draw, Player
from pushforward.training.guard import check_finite
from pushforward.training.optim import Averages, build_optimizers, set_rates
from pushforward.training.steps import Stepper

LAST = 0.1  # share of the run over which reports are averaged


def fit(
    algorithm: Algorithm, draw: Draw, steps: int, *, players: Mapping[str, Player] | None = None
) -> dict[str, float]:
    """Take so many training steps, and leave the algorithm in eval mode.

    draw: where batches come from, such as a `data.Stream`. players: instead of the algorithm's own, for
    another rate or optimiser. Returns the mean of each loss ("loss/PLAYER") and of each reported value over
    the last tenth of the run, since one step's report is of one noisy batch. Where a player declares `ema`,
    the algorithm ends with the averaged weights. Raises Diverged where a weight became NaN or infinite.
    """
    reports = defaultdict(list)
    for step, reported in enumerate(fitting(algorithm, draw, steps, players=players)):
        if step >= steps - max(1, round(LAST * steps)):
            for name, value in reported.items():
                reports[name.removeprefix("info/")].append(value)
    return {name: torch.stack(values).mean().item() for name, values in reports.items()}


def fitting(
    algorithm: Algorithm, draw: Draw, steps: int, *, players: Mapping[str, Player] | None = None
) -> Iterator[dict[str, Tensor]]:
    """`fit`, as an iterator: what was reported, after each step. Between two steps the caller may look.

    The reports are on the algorithm's device, so reading them costs a synchronisation.
    """
    players = players or algorithm.players()
    optimizers = build_optimizers(players)
    stepper, averages = Stepper(algorithm, players, optimizers), Averages(players)
    algorithm.clock = Clock(steps=steps)
    algorithm.train()
    for step in range(steps):
        set_rates(optimizers, players, algorithm.clock)
        reported = stepper(draw)
        averages.update(algorithm.clock)
        algorithm.clock.step = step + 1
        algorithm.clock.images = getattr(draw, "images", 0)  # where the draw is a stream, which counts them
        yield reported
    check_finite(algorithm, steps)
    averages.publish()
    algorithm.eval()
