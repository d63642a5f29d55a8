"""A model in a folder: publish its weights and what loading needs, and load it."""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import load_file, save

from pushforward.config import validated
from pushforward.core import Algorithm, Selector, Snapshot
from pushforward.errors import UserError
from pushforward.files import write_durably
from pushforward.methods import migrate, recipe_class
from pushforward.models.model import Model
from pushforward.reading import Damaged, read_json
from pushforward.run_folder import RunFolder
from pushforward.streams import Classes, build, shapes_of
from pushforward.training.checkpoint import split_state

FORMAT = 1
Which = Literal["last", "best"]


def publish(folder: Path, algorithm: Algorithm, description: dict[str, Any]) -> None:
    """Write `model.safetensors` and `model.json`: the weights as they are now, and what `load` needs.

    What the algorithm declares `training_only` is left out. description: method, options, what `described`
    gives, step, and for the best checkpoint the metric and its value.
    """
    folder.mkdir(parents=True, exist_ok=True)
    left_out = algorithm.declared("training_only")
    tensors, extra = split_state({k: v for k, v in algorithm.state_dict().items() if k not in left_out})
    plain = {k: v.detach().cpu().clone(memory_format=torch.contiguous_format) for k, v in tensors.items()}
    write_durably(RunFolder(folder).weights, save(plain))
    about = {"format": FORMAT, **description, "extra": extra}
    write_durably(RunFolder(folder).model, (json.dumps(about, indent=1) + "\n").encode())


def load(run: str | Path, *, which: Which = "last", device: str | torch.device = "cpu") -> Model:
    """Load the model of a run folder.

    which: "last" for the final weights (averaged ones where the method has them), "best" for those with
    the best validation metric. Raises UserError when the folder holds no such model.
    """
    folder = Path(run)
    if which == "best":
        folder = RunFolder(folder).best.path
    about = _about(folder, run)
    about["method"], about["options"] = migrate(about["method"], about["options"])
    kind = recipe_class(about["method"])
    where = f"RUN: {RunFolder(folder).model}: options."
    options = _tuples(kind, about["options"])
    recipe = validated(kind, options, where) if dataclasses.is_dataclass(kind) else kind(**options)
    algorithm = build(recipe, shapes_of(about), Classes.told(about))
    try:
        tensors = load_file(RunFolder(folder).weights)
        _fill(algorithm, {**tensors, **about["extra"]})
    except (OSError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"RUN: the weights in {folder} do not fit its model.json ({reason})") from error
    except Exception as error:  # safetensors' own error type is not public
        raise UserError(f"RUN: {folder / 'model.safetensors'} is damaged ({error})") from error
    return Model(algorithm.to(device).eval(), about)


def described(shapes: Mapping[str, tuple[int, ...]], classes: Classes | None = None) -> dict[str, Any]:
    """What `model.json` says of the data: "shape" of the only stream, "shapes" of several by name.

    And of a model that is told classes, their names and how often they occur.
    """
    if classes is not None:
        told = {"names": list(classes.names), "shares": list(classes.shares)}
        return {**described(shapes), "classes": told}
    if len(shapes) == 1:
        return {"shape": list(*shapes.values())}
    return {"shapes": {name: list(shape) for name, shape in shapes.items()}}


class Best:
    """Keeps the best weights of a run in `best/`, by the method's own selector.

    about: what `publish` writes of the model. A run that is resumed goes on from the best so far.
    """

    def __init__(self, run: Path, selector: Selector, about: Mapping[str, Any]) -> None:
        self.folder, self.selector, self.about = RunFolder(run).best.path, selector, about
        path = RunFolder(self.folder).model
        self.value: float | None = _best_so_far(path)

    def consider(self, snapshot: Snapshot, metrics: Mapping[str, float]) -> None:
        """Keep the model as it is now if it is better than what is kept. metrics: of all observers."""
        value = metrics.get(self.selector.metric)
        if value is None or not self.selector.prefers(value, to=self.value):
            return
        self.value = value
        best = {"metric": self.selector.metric, "value": value, "step": snapshot.clock.step}
        publish(self.folder, snapshot.algorithm, {**self.about, **best})


def _best_so_far(path: Path) -> float | None:
    if not path.exists():
        return None
    try:
        value: float = read_json(path, "BestAbout")["value"]
    except Damaged as error:
        warnings.warn(f"{error}; the next validation chooses the best weights anew", stacklevel=2)
        return None
    return value


def _fill(algorithm: Algorithm, state: dict[str, Any]) -> None:
    """Load a published state, in which nothing may be missing but what is `training_only`."""
    missing, unexpected = algorithm.load_state_dict(state, strict=False)
    wrong = [*sorted(set(missing) - algorithm.declared("training_only")), *unexpected]
    if wrong:
        raise RuntimeError(f"missing or unexpected: {', '.join(wrong)}")


def _about(folder: Path, run: str | Path) -> dict[str, Any]:
    path = RunFolder(folder).model
    if not folder.is_dir():
        hint = " (no validation images were kept aside?)" if folder.name == "best" else ""
        raise UserError(f"RUN: there is no folder {folder}{hint}; expected one that `pushforward train` made")
    if not path.is_file():
        raise UserError(
            f"RUN: {run} is no run folder: it has no model.json; expected one that `pushforward train` made"
        )
    try:
        about: dict[str, Any] = read_json(path, "About")
    except Damaged as error:
        raise UserError(
            f"RUN: {error}; `pushforward train --resume` writes it anew from a checkpoint, where there is one"
        ) from error
    if about["format"] != FORMAT:
        raise UserError(
            f"RUN: {path} has format {about['format']}, and this version reads {FORMAT}; take the version of "
            "pushforward that wrote it"
        )
    if (about.get("shape") is None) == (about.get("shapes") is None):
        raise UserError(f"RUN: {path} says no shape of its data; it is damaged")
    return about


def _tuples(kind: type[Any], options: dict[str, Any]) -> dict[str, Any]:
    """JSON has no tuples: give back to each field what its default is."""
    defaults = {f.name: f.default for f in dataclasses.fields(kind)} if dataclasses.is_dataclass(kind) else {}
    return {k: tuple(v) if isinstance(defaults.get(k), tuple) else v for k, v in options.items()}
