"""How often a run looks at the quality of its samples: as often as a twentieth of its time allows."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from pushforward.core import Snapshot
from pushforward.observers.quality import Quality
from pushforward.randomness import aside
from pushforward.training.loop import Trainer
from pushforward.training.minutes import seconds_a_step

SHARE = 0.05  # of the training time
MOST = 20  # looks
LEAST_STEPS = 1000  # a shorter run has no look: to find out would take longer than it


def spaced(trainer: Trainer, steps: int, look_with: Callable[[], Quality]) -> int:
    """Steps between two looks, by one look and some steps that are timed and undone; 0 for none.

    A run keeps the number in its config, so that one that is resumed looks at the same steps.
    """
    if steps < LEAST_STEPS:
        return 0
    quality = look_with()
    snapshot = Snapshot(trainer.algorithm, trainer.clock, trainer.folder, trainer.device)
    trainer.algorithm.eval()
    with aside(0), torch.no_grad():
        quality.observe(snapshot)  # its first look takes the features of the data, too
        before = time.perf_counter()
        quality.observe(snapshot)
        look = time.perf_counter() - before
    trainer.algorithm.train()
    cost = torch.tensor([look, seconds_a_step(trainer)], device=trainer.device)
    if trainer.world.size > 1:
        trainer.world.mean_(cost)
    looks = min(MOST, int(SHARE * steps * cost[1] / cost[0]))
    return -(-steps // looks) if looks else 0
