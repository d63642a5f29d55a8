"""Open a run folder again: its config, its model, and its images as training saw them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from pushforward.abilities import ABILITIES
from pushforward.config import RunConfig
from pushforward.data import Dataset, Splits, load_dataset, load_splits
from pushforward.data.dataset import split_validation
from pushforward.data.kinds import size_of
from pushforward.data.rows import Size
from pushforward.errors import UserError
from pushforward.models.model import Model
from pushforward.models.store import Which, load
from pushforward.run_folder import RunFolder
from pushforward.runs.data import fingerprints, load_stream, prepared, read_run, recorded
from pushforward.runs.places import located, moved
from pushforward.streams import option_of

Split = Literal["test", "train", "validation"]


@dataclass(frozen=True)
class Shown:
    """Images to look at a model with.

    split: what they are, in words. note: what a reader must know of them (the data changed since
    training, were converted), or the empty string.
    """

    data: Dataset
    split: str
    note: str = ""


def open_run(folder: Path, *, which: Which = "last") -> tuple[RunConfig, Model]:
    """The config and the model of a run. Raises UserError where the folder is none, or has no model yet."""
    config = read_run(folder)
    if which == "last" and not RunFolder(folder).model.is_file():
        raise UserError(
            f"RUN: {folder} has no model yet (no model.json); let the training reach its first checkpoint, "
            f"or continue it with `pushforward train --resume {folder}`"
        )
    return config, load(folder, which=which)


def require_images(model: Model, command: str) -> None:
    """Raise UserError for a model of points, where a command shows images."""
    if len(model.shape) != 3:
        raise UserError(
            f"RUN: a model of {size_of(model.shape)}, and {command} shows images; "
            "see it by `pushforward sample` or `pushforward report`"
        )


def require(model: Model, *abilities: type) -> None:
    """Raise UserError unless the model has every one of these abilities."""
    for ability in abilities:
        if not model.can(ability):
            about = ABILITIES[ability]
            raise UserError(
                f"RUN: a model of the method '{model.about['method']}' has {about.lacks}, so it cannot "
                f"{about.verb}; it can {model.abilities}"
            )


def images_for(
    config: RunConfig,
    model: Model,
    *,
    data: str | None = None,
    split: Split | None = None,
    stream: str | None = None,
) -> Shown:
    """Images that fit the model, of one stream; by default of the first.

    Without `data` those of the run's own, its held-out ones unless another split is asked for; they are
    the same that training used or left aside, also where `data` says that they lie elsewhere now. With other
    `data` all images of that source, or one split of it, scaled and converted as the model needs them.
    Raises UserError where there are none that fit.
    """
    stream = stream or config.streams[0]
    shape = model.shapes.get(stream, model.shape)
    own = config if data is None else _its_own(config, stream, data)
    shown = _own(own, stream, split or "test") if own else _other(config, shape, str(data), split)
    if shown.data.shape != shape:
        option = "--data" if data else option_of("data", stream)
        raise UserError(
            f"{option} {data or config.sources[stream]}: {size_of(shown.data.shape)}, but the model takes "
            f"{size_of(shape)}; give some of those"
        )
    return shown


def pick(images: Dataset, limit: int | None, seed: int) -> Dataset:
    """At most `limit` of the images, chosen by the seed, in their order."""
    if limit is None or limit >= len(images):
        return images
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    return images.subset(order[:limit].sort().values)


def _its_own(config: RunConfig, stream: str, data: str) -> RunConfig | None:
    """The config with this source, where it holds the run's own data, which lie elsewhere now; else None."""
    here = moved(config, stream, data)
    if located(data) == config.sources[stream]:
        return None
    try:
        now = fingerprints(load_stream(here, stream))
    except UserError:  # such as of sizes that differ, which the model brings to its own
        return None
    was = recorded(config)[stream]
    return here if was and all(was.get(part) == mark for part, mark in now.items()) else None


def _own(config: RunConfig, stream: str, split: Split) -> Shown:
    splits = load_stream(config, stream)
    note = changed_data(config, {stream: splits})
    if split == "test":
        return Shown(prepared(config, splits.test), "test", note)
    train, validation = split_validation(splits.train, config.train.validation or 0.0)
    if split == "train":
        return Shown(prepared(config, train), "train", note)
    if validation is None:
        raise UserError("--split validation: this run kept no images aside; use --split test or train")
    return Shown(prepared(config, validation), "validation", note)


def _other(config: RunConfig, shape: tuple[int, ...], data: str, split: Split | None) -> Shown:
    size: Size = None
    channels = None
    if len(shape) == 3:
        channels, height, width = shape
        size = (height, width)
    if split is None:
        images = load_dataset(data, image_size=size, channels=channels)
        return Shown(prepared(config, images), "all", _converted(images))
    splits = load_splits(data, image_size=size, channels=channels)
    if split == "test":
        return Shown(prepared(config, splits.test), split, _converted(splits.test))
    train, validation = split_validation(splits.train, config.train.validation or 0.0)
    chosen = train if split == "train" else validation
    if chosen is None:
        raise UserError(f"--split validation: {data} has too few images for one; use --split test or train")
    return Shown(prepared(config, chosen), split, _converted(chosen))


def _converted(data: Dataset) -> str:
    """A sentence where images of another kind were brought to the model's."""
    done = ", ".join(f"{n:,} × {what}" for what, n in data.scan.converted.items())
    return f"brought to what the model takes: {done}" if done else ""


def changed_data(config: RunConfig, splits: Mapping[str, Splits]) -> str:
    """A sentence where the images are no longer those of the training, else the empty string.

    splits: of the streams that are asked about, as they are now.
    """
    told = []
    for stream, own in splits.items():
        was = recorded(config)[stream]
        now = fingerprints(own)
        changed = [part.split("_")[0] for part, mark in now.items() if was.get(part, mark) != mark]
        if changed:
            told.append(f"the {' and '.join(changed)} images of {config.sources[stream]}")
    return f"{' and '.join(told)} changed since this run was trained" if told else ""
