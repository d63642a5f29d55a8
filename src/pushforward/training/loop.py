"""The training loop: step, log, observe, save, and continue after anything."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import Tensor

from pushforward.core import Algorithm, Clock, Observer, Snapshot
from pushforward.errors import Diverged, Stopped
from pushforward.files import MetricsLog, fsync_rows
from pushforward.randomness import aside, random_state, restore_random_state
from pushforward.run_folder import RunFolder
from pushforward.training.checkpoint import (
    Checkpoint,
    newest_checkpoint,
    optimizer_state,
    save_checkpoint,
    split_state,
    tidy,
)
from pushforward.training.distributed import World
from pushforward.training.folder import StopSignals, cannot_go_on, require_space
from pushforward.training.guard import NonFinite, Reports, check_finite, check_moments
from pushforward.training.observing import collected, refuse_equal_names
from pushforward.training.optim import Averages, build_optimizers, set_rates
from pushforward.training.precision import forward_context
from pushforward.training.ranks import align, gather_local, local_bytes, own_state, refuse_other_number
from pushforward.training.restoring import restore_tensors
from pushforward.training.settings import Hooks, LoopSettings, Source
from pushforward.training.steps import Stepper

SAVE_S = 120.0  # seconds after which one process saves besides, so that no crash costs more


class Trainer:
    """One run of one algorithm in one folder. See `run` and `resume`."""

    def __init__(
        self,
        algorithm: Algorithm,
        draw: Source,
        folder: Path,
        *,
        steps: int,
        settings: LoopSettings,
        observers: Sequence[Observer] = (),
        hooks: Hooks | None = None,
        world: World | None = None,
        device: torch.device | None = None,
    ) -> None:
        self.algorithm, self.draw, self.folder, self.settings = algorithm, draw, folder, settings
        self.observers, self.hooks = observers, hooks or Hooks()
        self.world, self.device = world or World(), device or torch.device("cpu")
        self.clock = algorithm.clock = Clock(steps=steps)
        self.players = {
            name: replace(player, lr=settings.rates.get(name, player.lr))
            for name, player in algorithm.players().items()
        }
        self.optimizers = build_optimizers(self.players)
        self.averages = Averages(self.players)
        forward = forward_context(settings.precision, self.device, self.world)
        self.stepper = Stepper(algorithm, self.players, self.optimizers, world=self.world, forward=forward)
        self.reports = Reports()
        self.log = MetricsLog(RunFolder(folder).metrics)
        self._saved = time.monotonic()
        self.lost = 0
        self.laid_out: int | None = None  # steps that a resumed run was to have
        self.seconds = 0.0
        self._since = time.monotonic()

    # -- the run ---------------------------------------------------------------------------------

    def require_room(self) -> None:
        """Raise UserError where the disk cannot hold the run."""
        if self.world.main:
            size = sum(t.nbytes for group in self._tensors().values() for t in group.values())
            size += (self.world.size - 1) * local_bytes(self.algorithm)
            # Weights with moments are 3 to 4 times these: two kept, one being written; and step 0, the
            # published weights and the best ones.
            require_space(self.folder, 15 * size + 20_000_000)

    def average_anew(self) -> None:
        """Let averages begin at the weights as they are now."""
        self.averages = Averages(self.players)

    def start(self) -> None:
        """Write the checkpoint of step 0."""
        self.require_room()
        if self.world.main:
            self.log.clear()
        self.save()

    def run(self) -> None:
        """Train up to `clock.steps`.

        Raises Stopped after a signal, Diverged at a NaN or infinity, RunFailed on a full disk.
        """
        refuse_equal_names(self.observers)
        self._since = time.monotonic()
        self.algorithm.train()
        try:
            with StopSignals() as signals:
                if self.clock.step == 0:
                    self._observe()
                while self.clock.step < self.clock.steps:
                    self.one_step()
                    self._boundary(signals)
        except OSError as error:
            raise cannot_go_on(error, self.folder) from error

    def one_step(self) -> None:
        """One call of the algorithm's `step`, and what goes with it; nothing is logged or saved."""
        position = self.draw.state()
        set_rates(self.optimizers, self.players, self.clock)
        values = self._taken()
        self.averages.update(self.clock)
        self.clock.step += 1
        self.clock.images = self.draw.images
        self.reports.add(self.clock.step, values, position)

    def _taken(self) -> dict[str, Tensor]:
        try:
            return self.stepper(self.draw)
        except (ValueError, RuntimeError):
            # NaN weights may fail inside a step before their loss is looked at: then that is the cause.
            self.flush()
            self._refuse_non_finite()
            raise

    def _boundary(self, signals: StopSignals) -> None:
        step, settings = self.clock.step, self.settings
        last = step == self.clock.steps
        log = last or step % settings.log_every == 0
        # Several processes agree on a signal only when logging: asking costs a message.
        stop = (
            self.world.any(signals.received is not None, self.device)
            if (log or self.world.size == 1)
            else False
        )
        every = settings.checkpoint_every
        late = every > 0 and self.world.size == 1 and time.monotonic() - self._saved > SAVE_S
        save = last or stop or late or (every > 0 and step % every == 0)
        if log or save:
            self.flush()
        self.hooks.progress(self.clock)
        self._observe()
        if save:
            self.save()
        if stop and not last:
            raise Stopped(
                signals.received or 15,
                f"stopped and saved at step {step} of {self.clock.steps}; continue with "
                f"`pushforward train --resume {self.folder}`",
            )

    def flush(self) -> None:
        """Log the mean of what was reported since the last log. Raises Diverged at a NaN or infinity."""
        if not len(self.reports):
            return
        try:
            means = self.reports.means()
        except NonFinite as bad:
            batch = self.hooks.describe_batch(bad.position)
            raise Diverged(f"{bad}{batch}; {self._cure()}") from None
        self._write_row(means)

    def _cure(self) -> str:
        return (
            "nothing of it was saved. Try a lower `lr`, `precision` fp32, or look at the batch; "
            f"the last good checkpoint is in {self.folder / 'checkpoints'}"
        )

    def _write_row(self, values: Mapping[str, float]) -> None:
        row = {
            "step": self.clock.step,
            **values,
            "seconds": round(self._elapsed(), 3),
            "images": self.clock.images,
        }
        if self.world.main:
            self.log.append(row)
            self.hooks.logged(row)

    def _elapsed(self) -> float:
        now = time.monotonic()
        self.seconds, self._since = self.seconds + now - self._since, now
        return self.seconds

    # -- observers -------------------------------------------------------------------------------

    def _observe(self) -> None:
        due = [o for o in self.observers if self.world.main and o.due(self.clock)]
        if not due:
            return
        self._refuse_non_finite()
        with self._published(), aside(self.settings.seed + self.clock.step):
            snapshot = Snapshot(self.algorithm, self.clock, self.folder, self.device)
            observations = [o.observe(snapshot) for o in due]
            metrics = collected(due, observations)
            self.hooks.measured(snapshot, metrics)
        if metrics:
            self._write_row({f"metric/{k}": v for k, v in metrics.items()})
        for observer, observation in zip(due, observations, strict=True):
            self.hooks.found(observer, tuple(observation.findings))

    @contextmanager
    def _published(self) -> Iterator[None]:
        """The model as it would be published: averaged weights, eval mode."""
        modes = {m: m.training for m in self.algorithm.modules()}
        with ExitStack() as stack:
            stack.enter_context(self.averages.published())
            self.algorithm.eval()
            try:
                yield
            finally:
                for module, mode in modes.items():
                    module.training = mode

    # -- saving ----------------------------------------------------------------------------------

    def save(self) -> None:
        """Write a checkpoint and publish the model. Only at a step boundary; never with a NaN in it."""
        self._refuse_non_finite()
        align(self.algorithm, self.world)
        local_tensors, local_values = gather_local(self.algorithm, self.world)
        if self.world.main:
            values = {
                "clock": asdict(self.clock),
                "stream": self.draw.state(),
                "seconds": self._elapsed(),
                "random": random_state()[1],
                "identity": dict(self.settings.identity),
                "kept": self.hooks.kept(),
                "extra": split_state(self.algorithm.state_dict())[1],
                **local_values,
            }
            fsync_rows(self.folder)  # a resume writes those after the checkpoint again, and none before it
            root = RunFolder(self.folder).checkpoints
            content = Checkpoint({**self._tensors(), **local_tensors}, values)
            save_checkpoint(root, self.clock.step, content, every=self.settings.checkpoint_every)
            self._saved = time.monotonic()
            with self._published():
                self.hooks.publish(self.algorithm, self.clock)
        self.world.barrier()

    def _refuse_non_finite(self) -> None:
        try:
            check_finite(self.algorithm, self.clock.step)
            check_moments(self.optimizers, self.clock.step)
        except Diverged as bad:
            raise Diverged(f"{bad}; {self._cure()}") from None

    def _tensors(self) -> dict[str, dict[str, Tensor]]:
        return {
            "algorithm": split_state(self.algorithm.state_dict())[0],
            "averages": self.averages.state(),
            "random": random_state()[0],
            **{f"optimizer-{n}": optimizer_state(o) for n, o in self.optimizers.items()},
        }

    def resume(self) -> None:
        """Take up the newest whole checkpoint: everything but the number of steps, which is the caller's.

        `laid_out` then is how many steps it was to have, and `lost` how many were done after it.
        """
        path, checkpoint = newest_checkpoint(RunFolder(self.folder).checkpoints, schema="Values")
        refuse_other_number(self.algorithm, self.world, checkpoint.values, path)
        self.restore(checkpoint)
        self.lost = max(0, self.log.last_step - self.clock.step)
        if self.world.main:
            # At step 0 observers look when the run begins, so their rows will come again.
            self.log.cut_back(self.clock.step or -1)
            tidy(path.parent, path, every=self.settings.checkpoint_every)
            self.hooks.restored(checkpoint.values.get("kept", {}))
            # A kill between a checkpoint and its publication left an older model in the folder.
            with self._published():
                self.hooks.publish(self.algorithm, self.clock)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Put back weights, moments, averages, clock, data position and random streams."""
        tensors, values = checkpoint.tensors, checkpoint.values
        restore_tensors(self, tensors, own_state(tensors, values, rank=self.world.rank))
        was = Clock(**values["clock"])
        self.laid_out = was.steps if was.step else None
        self.clock.step, self.clock.images, self.clock.scheduled = was.step, was.images, was.scheduled
        self.clock.since, self.clock.until = was.since, was.until
        self.draw.restore(values["stream"])
        self.seconds, self._since = values["seconds"], time.monotonic()
        restore_random_state(tensors["random"], values["random"])
