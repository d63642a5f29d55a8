"""How many steps fit into some minutes, and how schedules go on in a run that is made longer."""

from __future__ import annotations

import time
from statistics import median

import torch

from pushforward.core import Clock
from pushforward.run_folder import RunFolder
from pushforward.training.checkpoint import newest_checkpoint
from pushforward.training.loop import Trainer
from pushforward.training.optim import build_optimizers

TIMED_STEPS = 30


def steps_in(trainer: Trainer, minutes: float) -> int:
    """How many steps fit, from 30 timed ones that are then undone.

    They are undone so that a run of so many minutes equals the run of the step count it was given.
    """
    steps = torch.tensor(max(1.0, minutes * 60 / seconds_a_step(trainer)), device=trainer.device)
    if trainer.world.size > 1:
        trainer.world.mean_(steps)
    return int(steps)


def seconds_a_step(trainer: Trainer) -> float:
    """The median of 30 steps in this process, which are then undone."""
    _, start = newest_checkpoint(RunFolder(trainer.folder).checkpoints, schema="Values")
    trainer.algorithm.train()
    seconds = []
    for _ in range(TIMED_STEPS):
        before = time.perf_counter()
        trainer.one_step()
        if trainer.device.type == "cuda":
            torch.cuda.synchronize(trainer.device)
        seconds.append(time.perf_counter() - before)
    trainer.reports.clear()
    trainer.optimizers = build_optimizers(trainer.players)
    trainer.stepper.use(trainer.optimizers)
    trainer.restore(start)
    return median(seconds)


def lengthen(clock: Clock, was: int | None, *, restart: bool) -> str:
    """Lay out schedules for `clock.steps`, of a run that was to have `was`; returns what became of them.

    Without `restart` they keep to the steps that they were laid out for, and their last values after that. A
    schedule that began again with another length would jump: of rates from 0 to their start.
    """
    if restart:
        clock.since, clock.until = clock.step, clock.steps
        return f"schedules run anew over the {clock.steps - clock.step:,} steps to come"
    if was is None or was == clock.steps or not clock.scheduled:
        return ""
    clock.until = clock.until or was
    kept = f"schedules (rates, noise, penalties) stay laid out for {clock.until:,} steps"
    if clock.until >= clock.steps:
        return f"{kept}, so they end before their last values; `restart_schedule` runs them anew"
    return f"{kept} and keep their last values after that; `restart_schedule` runs them anew"
