"""From a config to a finished run folder: data, recipe, observers and loop put together."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from pushforward.config import RunConfig, TrainOptions, config_from
from pushforward.ensembles.weighting import Weighting
from pushforward.errors import UserError
from pushforward.methods import find_method, recipe_class
from pushforward.recipes.presets import NONE, with_preset
from pushforward.run_folder import RunFolder
from pushforward.runs.data import Prepared, prepare, read_run
from pushforward.runs.ensemble import EnsembleRun, refuse_component
from pushforward.runs.folder import choose_folder, claimed, no_empty_folder, present, refuse_occupied
from pushforward.runs.identity import (
    identity,
    recorded_identity,
    refuse_lost_checkpoints,
    refuse_other_config,
    refuse_other_data,
    refuse_other_length,
)
from pushforward.runs.places import divide_by_stream, locate
from pushforward.runs.presets import choose_for_few, choose_preset
from pushforward.runs.single import Progress, Run, check_rates, sampling
from pushforward.runs.weights import check_frozen
from pushforward.streams import DATA
from pushforward.training.distributed import World, join
from pushforward.training.folder import locked
from pushforward.training.precision import slower_here

DEFAULT_STEPS = 5000
QUIET_S = 2.0  # of reading before it is told


def train(
    method: str,
    *,
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    **shared: Any,
) -> Path:
    """Train a method from Python: `train("vae", data="photos", steps=2000, options={"latent_dim": 32})`.

    shared: fields of `TrainOptions`; paths may be `Path`s. options: fields of the method's recipe. Returns
    the run folder.
    """
    known = {field.name for field in dataclasses.fields(TrainOptions)}
    for name in shared.keys() - known:
        if name in {field.name for field in dataclasses.fields(recipe_class(find_method(method).name))}:
            raise UserError(f"train: {name}: an option of '{method}'; give options={{'{name}': ...}}")
    plain = {name: str(value) if isinstance(value, Path) else value for name, value in shared.items()}
    content = {"method": method, "train": plain, "options": dict(options or {})}
    if plain.get("preset") not in (None, NONE):
        content = with_preset(method, str(plain["preset"]), content)
    given = {*plain, *(options or {})}
    return start(config_from(content, where="train"), progress or Progress(), given=given)


def start(config: RunConfig, progress: Progress, *, given: Collection[str] | None = None) -> Path:
    """Create the run folder and train. Raises UserError before anything is written if the config is off.

    given: names of options that were asked for, where a preset may choose the others.
    """
    divide_by_stream(config)
    config.check()
    check_frozen(config)
    world, device = join(config.train.device)
    try:
        if config.train.steps is None and config.train.minutes is None:
            config.train.steps = DEFAULT_STEPS
        before = present(config)
        folder = choose_folder(config, world)
        with no_empty_folder(folder, before=before):
            data = _read(config, progress)
            chosen = [choose_preset(config, data, given), choose_for_few(config, data, given)]
            locate(config)
            run = _opened(config, folder, world, device, progress, data)
            with claimed(folder, world):
                if world.main:
                    refuse_occupied(folder)  # another run may have taken it while the data were read
                run.begin()
                _tell(run, data, progress, chosen)
                return run.finish()
    finally:
        world.close()


def resume(
    folder: Path, changes: Mapping[str, Any], progress: Progress, *, restart_schedule: bool = False
) -> Path:
    """Continue a run from its newest whole checkpoint. changes: fields of RESUMABLE to set anew.

    steps are those of the whole run, minutes those to come. restart_schedule: run the schedules of rates,
    noise and penalties anew over the steps to come.

    A run that was killed before its first checkpoint begins again. Raises UserError when the config or
    the data are no longer those of the checkpoint.
    """
    config = read_run(folder)
    refuse_component(folder, config)
    refuse_other_length(config, changes)
    more = changes.get("minutes") is not None or (changes.get("steps") or 0) > (config.train.steps or 0)
    if RunFolder(folder).finished and not more:
        if RunFolder(folder).lock.exists():  # of a process that died at its very end
            with suppress(UserError), locked(folder):
                pass
        progress.say(f"{folder} is finished ({config.train.steps} steps); nothing to do")
        return folder
    for name, value in changes.items():
        setattr(config.train, name, value)
    if changes.get("minutes") is not None:
        config.train.steps = None
    if changes.get("data") is not None and DATA not in config.streams:
        for named in {"data_of", "test_of"} - changes.keys():  # the folder of all lies elsewhere now
            setattr(config.train, named, {})
        divide_by_stream(config)
    config.check()
    world, device = join(config.train.device)
    try:
        with claimed(folder, world):
            recorded = recorded_identity(folder)
            if recorded is None:
                refuse_lost_checkpoints(folder)
            else:
                refuse_other_config(config, folder, recorded)
            data = _read(config, progress)
            if recorded is not None:
                refuse_other_data(config, folder, data)
            locate(config)
            run = _opened(config, folder, world, device, progress, data)
            if recorded is not None:
                run.take_up(restart_schedule=restart_schedule)
            else:
                run.begin()
            _tell(run, data, progress)
            return run.finish()
    finally:
        world.close()


def _read(config: RunConfig, progress: Progress) -> Prepared:
    """Prepare the data; where that takes a while, as of thousands of large pictures, say so meanwhile."""
    timer = threading.Timer(QUIET_S, progress.say, [f"reading {', '.join(config.sources.values())}"])
    timer.daemon = True
    timer.start()
    try:
        return prepare(config)
    finally:
        timer.cancel()


def _tell(run: Run | EnsembleRun, data: Prepared, progress: Progress, chosen: Collection[str] = ()) -> None:
    """A word about the data, what was chosen, where the run lies, and where its pictures appear."""
    for line in filter(None, chosen):
        progress.say(line)
    for line in data.told:
        progress.say(line)
    if slower_here(run.config.train.precision, run.device):
        progress.say("note    bf16 is slower than fp32 here: this processor has no matrix units (AMX)")
    folder = RunFolder(run.folder)
    progress.say(f"run     {folder.path}")
    if run.draws:
        progress.say(f"look    {folder.latest}")


def _opened(
    config: RunConfig, folder: Path, world: World, device: torch.device, progress: Progress, data: Prepared
) -> Run | EnsembleRun:
    if find_method(config.method).kind == "algorithm":
        return Run(config, folder, world, device, progress, data)

    def component(part: RunConfig, home: Path, data: Prepared, weighting: Weighting) -> Run:
        return Run(part, home, world, device, progress, data, weighting.weights)

    if config.train.init_from is not None:
        raise UserError(
            f"`init_from`: {config.train.init_from}, but '{config.method}' trains several models; "
            "leave it out"
        )
    run = EnsembleRun(
        config,
        folder,
        world,
        device,
        data=data,
        identity=identity(config),
        component=component,
        pictures=sampling(data.train[data.first], every=1),
        say=progress.say,
    )
    check_rates(run.part, config.train.lr_of)
    run.part.check_batch(config.train.batch_size // world.size)
    return run
