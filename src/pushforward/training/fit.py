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
) -> Fitting:
    """`fit`, as an iterator: what was reported, after each step. Between two steps the caller may look.

    The reports are on the algorithm's device, so reading them costs a synchronisation.
    """
    return Fitting(algorithm, draw, steps, players or algorithm.players())


class Fitting(Iterator[dict[str, Tensor]]):
    """Training under way. averages: of the weights, which a look may publish for a while."""

    def __init__(self, algorithm: Algorithm, draw: Draw, steps: int, players: Mapping[str, Player]) -> None:
        self.averages = Averages(players)
        self._reports = self._run(algorithm, draw, steps, players)

    def __next__(self) -> dict[str, Tensor]:
        return next(self._reports)

    def _run(
        self, algorithm: Algorithm, draw: Draw, steps: int, players: Mapping[str, Player]
    ) -> Iterator[dict[str, Tensor]]:
        optimizers = build_optimizers(players)
        stepper = Stepper(algorithm, players, optimizers)
        algorithm.clock = Clock(steps=steps)
        algorithm.train()
        for step in range(steps):
            set_rates(optimizers, players, algorithm.clock)
            reported = stepper(draw)
            self.averages.update(algorithm.clock)
            algorithm.clock.step = step + 1
            algorithm.clock.images = getattr(draw, "images", 0)  # a stream counts them
            yield reported
        check_finite(algorithm, steps)
        self.averages.publish()
        algorithm.eval()
