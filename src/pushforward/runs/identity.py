"""What may not change between a checkpoint and its resume, and what is said where it did."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pushforward.config import RunConfig, config_from, differences
from pushforward.errors import UserError
from pushforward.methods import find_method, migrate
from pushforward.run_folder import RunFolder
from pushforward.runs.data import Prepared
from pushforward.runs.ensemble import read_mixture
from pushforward.training.checkpoint import newest_checkpoint

# What `train --resume` may change: how long and where, never what.
PLACES = (
    "data",
    "test",
    "data_of",
    "test_of",
)  # where the data lie; what they are is compared by fingerprints
RESUMABLE = ("steps", "minutes", "checkpoint_every", "sample_every", "evaluate_every", "device", *PLACES)


def identity(config: RunConfig) -> dict[str, Any]:
    """What may not change between a checkpoint and its resume."""
    content = config.to_dict()
    train_options = {k: v for k, v in content["train"].items() if k not in (*RESUMABLE, "run")}
    return {"method": config.method, "train": train_options, "options": content["options"]}


def refuse_fewer_steps(config: RunConfig, done: int) -> None:
    """Raise UserError where more steps are done than are asked for."""
    if config.train.steps is not None and config.train.steps < done:
        raise UserError(f"--steps: {config.train.steps}, but {done} are done already; give at least as many")


def refuse_lost_checkpoints(folder: Path) -> None:
    """Raise UserError where a run has a model but no checkpoint: to begin again would write over it."""
    if RunFolder(folder).model.is_file():
        raise UserError(
            f"--resume: {folder} has a model but no checkpoint to go on from; its model is left as it is "
            "(`pushforward sample` draws from it); train anew into another folder"
        )


def refuse_other_length(config: RunConfig, changes: Mapping[str, Any]) -> None:
    """The components of an ensemble are equally long."""
    steps = changes.get("steps", config.train.steps)
    if find_method(config.method).kind == "ensemble" and steps != config.train.steps:
        raise UserError(
            f"--steps: {steps}, but the components of this ensemble take {config.train.steps} each; "
            "leave it out or start a new run"
        )


def recorded_identity(folder: Path) -> Mapping[str, Any] | None:
    """The identity that a run was begun with; None where it was killed before it began."""
    mixture = read_mixture(folder)
    if mixture is not None:
        return mixture["identity"]
    if not RunFolder(folder).begun:
        return None
    recorded = newest_checkpoint(RunFolder(folder).checkpoints, schema="Values")[1].values["identity"]
    method, options = migrate(recorded["method"], recorded["options"])
    return {**recorded, "method": method, "options": options}


def refuse_other_data(config: RunConfig, folder: Path, data: Prepared) -> None:
    """Raise UserError where the data are no longer those that the run began with."""
    now, then = (_what_it_is(told) for told in (data.provenance["data"], config.provenance.get("data", {})))
    changed = differences(now, then, "data.")
    if changed:
        raise UserError(
            f"--resume: the data of {folder} changed since: {'; '.join(changed)}; put the old data "
            "back, say by --data where they lie now, or start a new run"
        )


def _what_it_is(told: Mapping[str, Any]) -> dict[str, Any]:
    """Without the words for the split, which name the place of --test; fingerprints tell both parts."""
    return {
        key: _what_it_is(value) if isinstance(value, Mapping) else value
        for key, value in told.items()
        if key != "split"
    }


def refuse_other_config(config: RunConfig, folder: Path, recorded: Mapping[str, Any]) -> None:
    """Raise UserError where the config is no longer that of the checkpoint."""
    # Options that are younger than the checkpoint were at their defaults then.
    then = config_from(recorded, where=f"the checkpoint of {folder}")
    changed = differences(identity(config), identity(then))
    if changed:
        raise UserError(
            f"--resume: the config does not fit the checkpoint of {folder}: {'; '.join(changed)}; "
            "put it back or start a new run"
        )
