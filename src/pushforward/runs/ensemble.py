"""The run of an ensemble: runs of its components one after another, and the mixture that they make."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import torch

from pushforward.config import RunConfig, read_config
from pushforward.core import Algorithm, Clock, Observer, Snapshot
from pushforward.ensembles.adagan import Stage, boost, component_seed
from pushforward.ensembles.mixture import MixtureModel
from pushforward.ensembles.recipe import AdaGANRecipe
from pushforward.ensembles.weighting import Weighting
from pushforward.errors import RunFailed, Stopped, UserError
from pushforward.files import read_metrics, write_durably
from pushforward.models.store import described, load, publish
from pushforward.randomness import aside
from pushforward.reading import Damaged, read_json
from pushforward.run_folder import RunFolder
from pushforward.runs.card import model_card
from pushforward.runs.data import Prepared
from pushforward.streams import DATA
from pushforward.training.distributed import World
from pushforward.training.folder import StopSignals

FORMAT = 1


class ComponentRun(Protocol):
    """A run of one algorithm: begun or taken up, then finished."""

    def begin(self) -> None:
        """Start at step 0."""

    def take_up(self, *, restart_schedule: bool = False) -> None:
        """Go on from the newest checkpoint."""

    def finish(self) -> Path:
        """Train to the end."""
        ...


StartComponent = Callable[[RunConfig, Path, Prepared, Weighting], ComponentRun]


def read_mixture(folder: Path) -> dict[str, Any] | None:
    """`mixture.json` of a run folder; None where it has none."""
    path = RunFolder(folder).mixture
    if not path.exists():
        return None
    try:
        content: dict[str, Any] = read_json(path, "Mixture")
    except Damaged as error:
        raise UserError(f"--resume: {error}; start a new run with `pushforward train`") from error
    return content


class EnsembleRun:
    """What `runs` does with an ensemble. `begin` or `take_up` it, then `finish`.

    identity: what may not change until a resume. component: starts the run of one; it sits above this file.
    pictures: what shows samples, given how often.
    """

    draws = True  # whether samples are drawn as training goes on

    def __init__(
        self,
        config: RunConfig,
        folder: Path,
        world: World,
        device: torch.device,
        *,
        data: Prepared,
        identity: Mapping[str, Any],
        component: StartComponent,
        pictures: Observer,
        say: Callable[[str], None],
    ) -> None:
        self.config, self.folder, self.world, self.device = config, folder, world, device
        self.data, self.identity, self.component = data, identity, component
        self.pictures, self.say = pictures, say
        self.recipe: AdaGANRecipe = config.options
        self.mixture: MixtureModel = self.recipe.build(data.shapes[DATA])

    def begin(self) -> None:
        """Write the config, and that no component is trained yet."""
        self.config.provenance = dict(self.data.provenance)
        self._write_config()
        self._write_mixture([])

    def take_up(self, *, restart_schedule: bool = False) -> None:
        """Go on after the last component that finished, or inside the one that did not."""
        RunFolder(self.folder).done.unlink(missing_ok=True)
        done = sum(RunFolder(self._home(i)).finished for i in range(self.recipe.components))
        self.say(f"resumed {self.folder} after {done} of {self.recipe.components} components")

    def finish(self) -> Path:
        """Train what is missing and mark the run as done."""
        stages: list[Stage] = []
        options = self.config.train
        for stage in boost(
            self.mixture,
            self.data.train[DATA],
            self.recipe,
            train=self._train,
            batch_size=options.batch_size,
            seed=options.seed,
            device=self.device,
            remember=self._remember,
        ):
            stages.append(stage)
            last = not RunFolder(self._home(stage.index + 1)).finished
            if self.world.main and last:  # a resume passes by what was shown before
                self._show(stages)
        if self.world.main:
            card = model_card(self.folder, self.config)
            write_durably(RunFolder(self.folder).card, card.encode())
            write_durably(RunFolder(self.folder).done, b"")
        self.world.barrier()
        return self.folder

    @property
    def part(self) -> Algorithm:
        """One of the components, to look at."""
        component = self.mixture.components[0]
        assert isinstance(component, Algorithm)
        return component

    # -- components ------------------------------------------------------------------------------

    def _home(self, index: int) -> Path:
        return RunFolder(self.folder).component(index).path

    def _train(self, index: int, weighting: Weighting) -> Algorithm:
        """The component as it was published, whether it was trained now or before."""
        home = self._home(index)
        if not RunFolder(home).finished:
            self.say(f"component {index + 1} of {self.recipe.components}")
            config = self._component_config(index)
            part = {"component": index, "of": self.config.method}
            data = replace(self.data, provenance={**self.data.provenance, **part})
            config.provenance = dict(data.provenance)
            begun = RunFolder(home).begun
            run = self.component(config, home, data, weighting)
            with self._spoken_for(home):
                run.take_up() if begun else run.begin()
                run.finish()
        self._agree_on_steps(index)
        return load(home).algorithm

    def _component_config(self, index: int) -> RunConfig:
        options = self.config.train
        steps, minutes = options.steps, options.minutes
        if steps is None and minutes is not None:
            steps, minutes = self._steps(index), minutes / self.recipe.components
        train = replace(
            options,
            run=str(self._home(index)),
            seed=component_seed(options.seed, index),
            steps=steps,
            minutes=minutes,
        )
        return RunConfig(method=self.recipe.component, train=train, options=self.recipe.component_recipe())

    def _steps(self, index: int) -> int | None:
        """Of a component that was begun with --minutes: what they were timed to be, if that was reached."""
        path = RunFolder(self._home(index)).config
        return read_config(path).train.steps if path.is_file() else None

    def _agree_on_steps(self, index: int) -> None:
        """--minutes became a number of steps in the first component; the others take as many."""
        if self.config.train.steps is None:
            self.config.train.steps = self._steps(index)
            self._write_config()

    def _remember(self, index: int, compute: Callable[[], Weighting]) -> Weighting:
        """The weighting of a component, from its folder; computed and written down if it is not there."""
        path = RunFolder(self._home(index)).row_weights
        if self.world.main and not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            with StopSignals() as signals:
                write_durably(path, compute().to_bytes())
            if signals.received is not None:
                raise Stopped(
                    signals.received,
                    f"stopped before component {index + 1} of {self.recipe.components}; continue with "
                    f"`pushforward train --resume {self.folder}`",
                )
        self.world.barrier()
        return Weighting.from_bytes(path.read_bytes())

    @contextmanager
    def _spoken_for(self, home: Path) -> Iterator[None]:
        """What a component's run tells of resuming, told of the ensemble."""
        try:
            yield
        except Stopped as stop:
            raise Stopped(stop.signal_number, self._retold(stop, home)) from None
        except RunFailed as failure:
            raise type(failure)(self._retold(failure, home)) from failure

    def _retold(self, error: Exception, home: Path) -> str:
        return str(error).replace(f"--resume {home}", f"--resume {self.folder}")

    # -- the folder ------------------------------------------------------------------------------

    def _show(self, stages: list[Stage]) -> None:
        """Publish the mixture so far, with its figures and a picture."""
        steps = self.config.train.steps or 0
        clock = Clock(step=len(stages) * steps, steps=self.recipe.components * steps)
        about = {
            "method": self.config.method,
            "options": self.config.to_dict()["options"],
            **described(self.data.shapes),
            "step": clock.step,
        }
        self._write_metrics(stages)
        self._write_mixture(stages)
        publish(self.folder, self.mixture, about)
        if self.config.train.sample_every != 0:
            with aside(self.config.train.seed):
                self.pictures.observe(Snapshot(self.mixture, clock, self.folder, self.device))

    def _write_metrics(self, stages: list[Stage]) -> None:
        """A row for each component: its last losses, and how its data were weighted."""
        rows, seconds, images = [], 0.0, 0
        for stage in stages:
            own = read_metrics(RunFolder(self._home(stage.index)).metrics)
            last = {k: v for row in own for k, v in row.items()}
            seconds, images = seconds + last.get("seconds", 0.0), images + last.get("images", 0)
            row: dict[str, Any] = {"step": (stage.index + 1) * (self.config.train.steps or 0)}
            row |= {k: v for k, v in last.items() if k.startswith("loss/")}
            row |= {"info/lambda": stage.weighting.lambda_, "info/effective_data": stage.weighting.effective}
            if stage.index:
                row["info/classifier_accuracy"] = stage.weighting.accuracy
            rows.append({**row, "seconds": round(seconds, 3), "images": images})
        text = "".join(json.dumps(row) + "\n" for row in rows)
        write_durably(RunFolder(self.folder).metrics, text.encode())

    def _write_mixture(self, stages: list[Stage]) -> None:
        if not self.world.main:
            return
        components = [
            {
                "folder": f"components/{stage.index:02d}",
                "weight": float(self.mixture.weights[stage.index]),
                "beta": stage.beta,
                "lambda": stage.weighting.lambda_,
                "effective_data": stage.weighting.effective,
                "classifier_accuracy": stage.weighting.accuracy if stage.index else None,
            }
            for stage in stages
        ]
        content = {"format": FORMAT, "identity": self.identity, "components": components}
        write_durably(RunFolder(self.folder).mixture, (json.dumps(content, indent=1) + "\n").encode())

    def _write_config(self) -> None:
        if self.world.main:
            write_durably(RunFolder(self.folder).config, self.config.to_yaml().encode())


def refuse_component(folder: Path, config: RunConfig) -> None:
    """Raise UserError for the folder of a component: it goes on inside its ensemble, on weighted data."""
    if "component" in config.provenance:
        raise UserError(
            f"RUN: {folder} is a component of an ensemble; continue that with `pushforward train --resume "
            f"{folder.parent.parent}`"
        )
