"""The first weights of a run, taken from another run of the same networks: `--init-from`.

They are those that the other run published: averaged where its method averages, as transfer from a trained
GAN does (Y. Wang et al., *Transferring GANs*, ECCV 2018; S. Mo et al., *Freeze the Discriminator*, 2020), and
the last of a critic. What belongs to the new run keeps its own: views and penalties of the critic, units of
points, shares of classes, and what a method declares `training_only`. Moments of Adam and averages begin
anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pushforward.config import RunConfig
from pushforward.core import Algorithm
from pushforward.distributions.labels import Labels
from pushforward.distributions.standard import Standard
from pushforward.errors import UserError
from pushforward.evaluation.kept import weights_of
from pushforward.models.model import Model
from pushforward.models.store import load
from pushforward.streams import Classes
from pushforward.views.critic import ViewedCritic

SHOWN = 3  # options that differ, in a message


def check_frozen(config: RunConfig) -> None:
    """Raise UserError where layers are to keep weights that are not given."""
    frozen = getattr(config.options, "freeze_critic", 0)
    if frozen and config.train.init_from is None:
        raise UserError(
            f"`freeze_critic`: {frozen}, but without `init_from` these layers are random; give a run to "
            "start from, or leave it out"
        )


@torch.no_grad()
def start_from(
    algorithm: Algorithm, options: Any, folder: Path, classes: Classes | None = None
) -> dict[str, Any]:
    """Give a fresh algorithm the weights of a run. options: its recipe. classes: those that it is told.

    Returns what is to be kept of where they came from. Raises UserError, and changes nothing, where the run
    has other networks, or was told other classes.
    """
    source = _opened(folder)
    _refuse_other_classes(source, classes, folder)
    own, theirs = (algorithm.state_dict(), source.algorithm.state_dict())
    kept = _of_the_new_run(algorithm) | algorithm.declared("training_only")
    taken = {key: value for key, value in theirs.items() if key in own and not _is_of(key, kept)}
    _refuse_others(own, theirs, taken, kept, folder, _advice(source, algorithm, options))
    algorithm.load_state_dict({**own, **taken})
    return {
        "run": str(folder.absolute()),
        "method": source.about["method"],
        "step": source.about["step"],
        "weights": weights_of(folder),
    }


def _refuse_other_classes(source: Model, classes: Classes | None, folder: Path) -> None:
    """Weights of a class go by its number, so another order would give each class those of another one."""
    told = source.about.get("classes")
    if told is None or classes is None or list(told["names"]) == list(classes.names):
        return
    theirs, here = (", ".join(names[:SHOWN]) for names in (list(told["names"]), list(classes.names)))
    raise UserError(
        f"`init_from`: {folder} was told {len(told['names'])} classes ({theirs}), and here are "
        f"{len(classes.names)} ({here}); expected the same names in the same order: give such data, or start "
        "without `conditional`"
    )


def _opened(folder: Path) -> Model:
    try:
        return load(folder)
    except UserError as error:
        raise UserError(str(error).replace("RUN:", "`init_from`:", 1)) from error


def _of_the_new_run(module: nn.Module) -> frozenset[str]:
    """Beginnings of the names of what stays as it was built."""
    found = [name for name, part in module.named_modules() if isinstance(part, Standard | Labels)]
    for name, part in module.named_modules():
        if isinstance(part, ViewedCritic):
            found += [f"{name}.views", f"{name}.penalties"]
    return frozenset(found)


def _is_of(key: str, names: frozenset[str]) -> bool:
    return any(key == name or key.startswith(f"{name}.") for name in names)


def _refuse_others(
    own: Mapping[str, Any],
    theirs: Mapping[str, Any],
    taken: Mapping[str, Any],
    kept: frozenset[str],
    folder: Path,
    advice: str,
) -> None:
    """Raise UserError at the first weight that one has and the other has not, or in another shape."""
    for key in own:
        if key not in taken and not _is_of(key, kept):
            _refuse(folder, f"it has no '{key}'", advice)
        if key in taken and _size(own[key]) != _size(taken[key]):
            _refuse(folder, f"its '{key}' is {_size(taken[key])}, and here {_size(own[key])}", advice)
    for key in theirs:
        if key not in own and not _is_of(key, _beginnings(key)):
            _refuse(folder, f"it has '{key}', which is not here", advice)


def _beginnings(key: str) -> frozenset[str]:
    """Of the parts of a critic that only the other run has."""
    found = [key[: key.index(part) + len(part) - 1] for part in (".views.", ".penalties.") if part in key]
    return frozenset(found)


def _size(value: Any) -> str:
    return " x ".join(map(str, value.shape)) or "a number" if isinstance(value, Tensor) else "no tensor"


def _advice(source: Model, algorithm: Algorithm, options: Any) -> str:
    """The options that differ, as they are there, make the same networks; not where no part has one name."""
    if not {*dict(source.algorithm.named_children())} & {*dict(algorithm.named_children())}:
        return f"; it is of {source.about['method']}: give a run of this method, or of one with its networks"
    here = asdict(options)
    there = source.about["options"]
    found = [
        f"`{name}` {_plain(there[name])}"
        for name, value in here.items()
        if name in there
        and _plain(there[name]) != _plain(value)
        and float not in map(type, (value, there[name]))
    ]
    that_run = f"; that run has {', '.join(found[:SHOWN])}" if found else ""
    return f"{that_run}; give the same options here"


def _plain(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _refuse(folder: Path, why: str, advice: str) -> None:
    raise UserError(f"`init_from`: {folder} has other networks: {why}{advice}")
