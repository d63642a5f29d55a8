"""One run of one algorithm: data, algorithm, observers and trainer put together, then begun or taken up."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pushforward.abilities import Adversarial, Samples, Translates, offers
from pushforward.config import RunConfig
from pushforward.core import Algorithm, Clock, Finding, Observer
from pushforward.data import Dataset, Stream
from pushforward.data.kinds import Kind
from pushforward.diagnostics.cures import collapse_cure
from pushforward.diagnostics.leak import shown_transforms
from pushforward.distributions.standard import adopt
from pushforward.errors import UserError, did_you_mean
from pushforward.files import write_durably
from pushforward.models.store import Best, described, publish
from pushforward.observers import quality
from pushforward.observers.choice import adversarial_observers, validation_for
from pushforward.observers.findings import FindingsFile
from pushforward.observers.samples import PointPictures, SamplePictures, TranslationPictures
from pushforward.randomness import seed_everything
from pushforward.run_folder import RunFolder
from pushforward.runs.card import model_card
from pushforward.runs.data import Prepared, classes_of, describe_batch
from pushforward.runs.identity import identity, refuse_fewer_steps
from pushforward.runs.looks import spaced
from pushforward.runs.units import moments, standardizes
from pushforward.runs.weights import start_from
from pushforward.streams import build
from pushforward.training.distributed import World
from pushforward.training.loop import Trainer
from pushforward.training.minutes import lengthen, steps_in
from pushforward.training.settings import Hooks, LoopSettings


@dataclass
class Progress:
    """What a caller may show: called with the clock after each step, with each row, finding and line."""

    step: Callable[[Clock], None] = lambda clock: None
    row: Callable[[Mapping[str, Any]], None] = lambda row: None
    found: Callable[[Finding], None] = lambda finding: None
    say: Callable[[str], None] = lambda line: None


class Run:
    """One run being put together: data, algorithm and trainer; then begun or taken up, then finished."""

    def __init__(
        self,
        config: RunConfig,
        folder: Path,
        world: World,
        device: torch.device,
        progress: Progress,
        data: Prepared,
        weights: Tensor | None = None,
    ) -> None:
        self.config, self.folder, self.world, self.progress = config, folder, world, progress
        self.data, self.weights, self.device = data, weights, device
        self.classes = classes_of(config.options, data.train[data.first])
        self.about = {
            "method": config.method,
            "options": config.to_dict()["options"],
            **described(data.shapes, self.classes),
        }
        self.restart_schedule = self.lengthened = False
        self.best: Best | None = None
        self.trainer = self._trainer(device)

    @property
    def draws(self) -> bool:
        """Whether samples are drawn as training goes on."""
        return offers(self.trainer.algorithm, Samples) and self.config.train.sample_every != 0

    def _trainer(self, device: torch.device) -> Trainer:
        options = self.config.train
        seed_everything(options.seed)
        algorithm = build(self.config.options, self.data.shapes, self.classes)
        points = self.data.train[self.data.first].x
        if standardizes(self.config, self.data.first) and points.ndim == 2:
            adopt(algorithm, *moments(points))
        algorithm = algorithm.to(device)
        check_rates(algorithm, options.lr_of)
        stream = Stream(
            self.data.train,
            batch_size=options.batch_size,
            seed=options.seed,
            rank=self.world.rank,
            world=self.world.size,
            device=device,
            weights=None if self.weights is None else {self.data.first: self.weights},
        )
        algorithm.check_batch(options.batch_size // self.world.size)
        refuse_large_packs(algorithm, self.data.train)
        findings = FindingsFile(
            RunFolder(self.folder).findings,
            tell=self.progress.found,
            rerun=f"pushforward train --config {shlex.quote(str(self.folder / 'config.yaml'))}",
        )
        hooks = Hooks(
            progress=self.progress.step,
            logged=self.progress.row,
            found=findings.update,
            measured=lambda snapshot, metrics: self.best.consider(snapshot, metrics) if self.best else None,
            publish=lambda a, clock: publish(self.folder, a, {**self.about, "step": clock.step}),
            kept=lambda: {"findings": findings.read()},
            restored=lambda kept: findings.write(kept["findings"]) if "findings" in kept else None,
            describe_batch=lambda position: describe_batch(
                {name: stream.rows_of(name, start, options.batch_size) for name, start in position.items()},
                self.data.train,
            ),
        )
        return Trainer(
            algorithm,
            stream,
            self.folder,
            steps=options.steps or 1,
            settings=LoopSettings(
                checkpoint_every=options.checkpoint_every,
                precision=options.precision,
                seed=options.seed,
                rates=options.lr_of,
                identity=identity(self.config),
            ),
            hooks=hooks,
            world=self.world,
            device=device,
        )

    def begin(self) -> None:
        """Write the config and the checkpoint of step 0."""
        self.trainer.require_room()  # before anything is written
        self.config.provenance = dict(self.data.provenance)
        if self.config.train.init_from is not None:
            came = start_from(
                self.trainer.algorithm,
                self.config.options,
                Path(self.config.train.init_from),
                self.classes,
            )
            self.trainer.average_anew()
            self.config.provenance["init_from"] = came
            self.progress.say(f"weights {came['run']}, step {came['step']:,}")
        self._write_config()
        self.trainer.start()

    def take_up(self, *, restart_schedule: bool = False) -> None:
        """Go on from the newest whole checkpoint, if the data are still the same."""
        self.trainer.resume()
        step = self.trainer.clock.step
        refuse_fewer_steps(self.config, step)
        self.restart_schedule = restart_schedule
        if self.config.train.steps is not None:
            self._lengthen(self.config.train.steps)
        RunFolder(self.folder).done.unlink(missing_ok=True)
        self._write_config()
        lost = f"; {self.trainer.lost:,} steps after it are done again" if self.trainer.lost else ""
        self.progress.say(f"resumed {self.folder} at step {step}{lost}")

    def _lengthen(self, steps: int) -> None:
        """Raises UserError, before anything is written, where a rate has fallen to 0 for good."""
        trainer, self.lengthened = self.trainer, True
        trainer.clock.steps = steps
        told = lengthen(trainer.clock, trainer.laid_out, restart=self.restart_schedule)
        if told:
            rates = [player.schedule(trainer.clock) for player in trainer.players.values()]
            if trainer.clock.step < steps and not any(rates):
                raise UserError(
                    f"--resume: the rates of {self.folder} have fallen to 0 at step {trainer.clock.until}; "
                    "more steps would change nothing: add `restart_schedule` to run them anew"
                )
            self.progress.say(told)

    def finish(self) -> Path:
        """Train to the end and mark the run as done."""
        options = self.config.train
        if options.steps is None:
            assert options.minutes is not None
            more = steps_in(self.trainer, options.minutes)
            options.steps = self.trainer.clock.step + more
            self.progress.say(f"{options.minutes:g} minutes are {more:,} steps here")
            self.lengthened = False
        if not self.lengthened:
            self._lengthen(options.steps)
            self._write_config()
        if options.evaluate_every is None:
            options.evaluate_every = self._looks(options.steps)
            self._write_config()
        self.trainer.observers = self._observers(options.steps)
        chosen = [o.selector for o in self.trainer.observers if isinstance(o, quality.Quality)]
        selector = self.trainer.algorithm.selector or next(iter(chosen), None)
        self.best = Best(self.folder, selector, self.about) if selector else None
        self.trainer.run()
        if self.world.main:
            card = model_card(self.folder, self.config, call=self._call())
            write_durably(RunFolder(self.folder).card, card.encode())
            write_durably(RunFolder(self.folder).done, b"")
        self.world.barrier()  # leave together: a process whose peer hangs up first may abort
        return self.folder

    def _call(self) -> str:
        """What the model card shows in Python."""
        algorithm = self.trainer.algorithm
        if offers(algorithm, Samples):
            return "sample"
        return (
            f'translate(x, to="{algorithm.into[-1]}")' if offers(algorithm, Translates) else "reconstruct(x)"
        )

    def _looks(self, steps: int) -> int:
        """Steps between looks at the samples' quality, where nobody said: none for a method with a bound."""
        algorithm, data = self.trainer.algorithm, self.data.train[self.data.first]
        images = offers(algorithm, Samples) and len(data.shape) == 3 and len(data) >= quality.LEAST
        if not images or algorithm.selector or self.weights is not None:
            return 0
        every = spaced(self.trainer, steps, lambda: self._quality(data, 1))
        if every:
            self.progress.say(f"quality every {every:,} steps, in 5 % of the time; the best weights in best/")
        return every

    def _quality(self, data: Dataset, every: int) -> quality.Quality:
        """What looks at samples of images, on features and by transforms that suit the model."""
        algorithm = self.trainer.algorithm
        transforms = shown_transforms(algorithm)
        return quality.Quality(data, every=every, seen=algorithm.features_seen, transforms=transforms)

    def _observers(self, steps: int) -> list[Observer]:
        every = self.config.train.sample_every
        often = max(1, steps // 8) if every is None else every
        algorithm, observers = self.trainer.algorithm, list[Observer]()
        first = self.data.train[self.data.first]
        # An observer reads what an algorithm offers, and not every one can sample or has a likelihood.
        if offers(algorithm, Samples):
            observers.append(sampling(first, often))
        elif offers(algorithm, Translates) and len({d.shape for d in self.data.train.values()}) == 1:
            observers.append(TranslationPictures(self.data.train, every=often))
        validate = validation_for(algorithm)
        aside = self.data.validation.get(self.data.first)
        if aside is not None and validate is not None:
            observers.append(
                validate(
                    aside,
                    every=max(1, steps // 20),
                    cure=collapse_cure(self.config),
                )
            )
        look = self.config.train.evaluate_every
        if look and offers(algorithm, Samples) and len(first.shape) == 3 and len(first) >= quality.LEAST:
            observers.append(self._quality(first, look))
        observers += adversarial_observers(
            algorithm, self.data.train, self.config, steps=steps, weighted=self.weights is not None
        )
        return observers

    def _write_config(self) -> None:
        if self.world.main:
            write_durably(RunFolder(self.folder).config, self.config.to_yaml().encode())


def sampling(data: Dataset, every: int) -> Observer:
    """What shows samples of a model of these data."""
    return PointPictures(data.x, every=every) if len(data.shape) == 1 else SamplePictures(every=every)


def refuse_large_packs(algorithm: Algorithm, data: Mapping[str, Dataset]) -> None:
    """Raise UserError where a critic is to see more rows at once than there are."""
    games = algorithm.games().values() if offers(algorithm, Adversarial) else ()
    for game in games:
        rows = data[game.stream]
        if game.critic.at_once > len(rows):
            kind = Kind.of(rows.shape)
            raise UserError(
                f"`pack`: {game.critic.at_once} at once, but there are {kind.count(len(rows))} to train on; "
                f"take a smaller pack, or more {kind.many}"
            )


def check_rates(algorithm: Algorithm, lr_of: Mapping[str, float]) -> None:
    """Raise UserError for a rate of a player that the algorithm does not have."""
    players = list(algorithm.players())
    for name in lr_of:
        if name not in players:
            raise UserError(
                f"--lr.{name}: there is no player '{name}'{did_you_mean(name, players)}; "
                f"this method has {', '.join(players)}"
            )
