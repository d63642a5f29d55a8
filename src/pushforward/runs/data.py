"""A run's config and its data: read, split, prepared, and where they came from."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pushforward import __version__
from pushforward.abilities import PreparesData, offers
from pushforward.config import RunConfig, read_config
from pushforward.data import Dataset, Splits, load_splits
from pushforward.data.dataset import split_validation
from pushforward.errors import UserError, did_you_mean
from pushforward.methods import migrate
from pushforward.reading import Damaged, read_json
from pushforward.run_folder import RunFolder
from pushforward.runs.told import told
from pushforward.streams import Classes, build

VALIDATION = 0.05  # share of the training data that chooses the best weights, where a method chooses any


@dataclass(frozen=True)
class Prepared:
    """A run's data by stream, as its method takes them, and what they were.

    validation: of the streams that keep something aside. told: lines about them, for whoever trains.
    """

    train: Mapping[str, Dataset]
    validation: Mapping[str, Dataset]
    provenance: Mapping[str, Any]
    told: tuple[str, ...] = ()

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """(channels, height, width) of each stream's images, (d,) of points."""
        return {name: data.shape for name, data in self.train.items()}

    @property
    def first(self) -> str:
        """The stream that a trained model is about where it names none."""
        return next(iter(self.train))


def read_run(folder: Path) -> RunConfig:
    """The config of a run folder. Raises UserError if it is none."""
    path = RunFolder(folder).config
    if not folder.is_dir():
        near = did_you_mean(str(folder), _runs_near(folder))
        raise UserError(f"RUN: there is no folder {folder}{near}; expected one that `pushforward train` made")
    if not path.is_file():
        raise UserError(f"RUN: {folder} is no run folder: it has no config.yaml; name one that has")
    config = read_config(path)
    if not config.provenance:  # it is written last
        raise UserError(
            f"RUN: {path} is cut off: it does not say what data it was trained on; put back the whole file"
        )
    _refuse_strange(config, RunFolder(folder))
    return config


def _refuse_strange(config: RunConfig, folder: RunFolder) -> None:
    """Raise UserError where the config is of another method's run than the model beside it."""
    try:
        about = read_json(folder.model, "About")
    except (Damaged, OSError):
        return  # who needs the model says so
    method = migrate(about["method"], about["options"])[0]
    if method != config.method:
        raise UserError(
            f"RUN: {folder.config} is of '{config.method}', but {folder.model} is of '{method}': one of them "
            "is another run's; put back its own"
        )


def _runs_near(folder: Path) -> list[str]:
    """The run folders beside a path, and those of ./runs."""
    places = {folder.parent, Path("runs")}
    return sorted({str(found.parent) for place in places for found in place.glob("*/config.yaml")})


def load_data(config: RunConfig) -> dict[str, Splits]:
    """The training and held-out images or points of each stream."""
    return {stream: load_stream(config, stream) for stream in config.streams}


def load_stream(config: RunConfig, stream: str) -> Splits:
    """The training and held-out images or points of one stream."""
    options = config.train
    return load_splits(
        config.sources[stream],
        test=config.tests[stream],
        image_size=options.image_size,
        channels=options.channels,
        pixel_range=options.pixel_range,
        limit=options.limit,
        limit_seed=options.limit_seed,
        stream=stream,
    )


def prepare(config: RunConfig) -> Prepared:
    """Read and split the data, and prepare them as the method wants."""
    splits = load_data(config)
    if config.train.validation is None:
        config.train.validation = _default_share(config, splits)
    _refuse_alike({name: s.train for name, s in splits.items()})
    parts = {name: split_validation(s.train, config.train.validation) for name, s in splits.items()}
    about = provenance(splits, {name: train for name, (train, _) in parts.items()})
    return Prepared(
        {name: prepared(config, train) for name, (train, _) in parts.items()},
        {name: prepared(config, aside) for name, (_, aside) in parts.items() if aside is not None},
        about,
        tuple(
            line
            for name, s in splits.items()
            for line in told(s, train=len(parts[name][0]), batch_size=config.train.batch_size)
        ),
    )


def _refuse_alike(train: Mapping[str, Dataset]) -> None:
    """Raise UserError where two streams hold the same data, or one of several holds a single row."""
    seen: dict[str, str] = {}
    for name, data in train.items():
        if data.fingerprint in seen:
            raise UserError(
                f"`data.{name}`: the same as `data.{seen[data.fingerprint]}`; expected "
                "other data for each stream"
            )
        seen[data.fingerprint] = name
        if len(train) > 1 and len(data) < 2:
            raise UserError(f"`data.{name}`: {len(data)} to train on; expected at least 2 of each stream")


def classes_of(recipe: Any, data: Dataset) -> Classes | None:
    """The classes that a conditional method is told; None for others. Raises UserError where it cannot be."""
    if not getattr(recipe, "conditional", False):
        return None
    if data.labels is None or data.classes is None:
        raise UserError(
            "`conditional`: the data have no labels, or one class alone; give images in a sub-folder for "
            "each of two classes or more, or an array of labels, or leave it out"
        )
    counts = torch.bincount(data.labels.cpu(), minlength=len(data.classes))
    few = [name for name, n in zip(data.classes, counts.tolist(), strict=True) if n < 2]
    if few or len(counts) < 2:
        what = f"class {few[0]} has {int(counts.min())}" if few else "all are of one class"
        raise UserError(f"`conditional`: {what} to learn from; expected 2 classes with 2 images each")
    return Classes(data.classes, tuple((counts / counts.sum()).tolist()))


def prepared(config: RunConfig, data: Dataset) -> Dataset:
    """Data as the method's recipe prepares them for training, if it does."""
    return config.options.prepare_data(data) if offers(config.options, PreparesData) else data


def _default_share(config: RunConfig, splits: Mapping[str, Splits]) -> float:
    """What is set aside to choose the best weights: nothing, where the method chooses none."""
    first = next(iter(splits.values())).train
    shapes = {name: s.train.shape for name, s in splits.items()}
    algorithm = build(config.options, shapes, classes_of(config.options, first))
    return VALIDATION if algorithm.selector else 0.0


def provenance(splits: Mapping[str, Splits], train: Mapping[str, Dataset]) -> dict[str, Any]:
    """Versions, commit and data: what another machine needs to rerun this.

    "data" is about the only stream, or a mapping from each of several to what is said of it.
    """
    data = {name: _fingerprints(splits[name], train[name]) for name in splits}
    return {
        "pushforward": __version__,
        "torch": str(torch.__version__),
        "python": platform.python_version(),
        "commit": git_commit(),
        "data": data if len(data) > 1 else next(iter(data.values())),
    }


def recorded(config: RunConfig) -> dict[str, Mapping[str, Any]]:
    """What the config of a run says of each stream's data; nothing where it has not begun."""
    told = config.provenance.get("data", {})
    return {name: told if len(config.streams) == 1 else told.get(name, {}) for name in config.streams}


def fingerprints(splits: Splits) -> dict[str, str]:
    """What the data are, wherever they lie."""
    return {"train_fingerprint": splits.train.fingerprint, "test_fingerprint": splits.test.fingerprint}


def _fingerprints(splits: Splits, train: Dataset) -> dict[str, Any]:
    return {
        **fingerprints(splits),
        "train_images": len(train),
        "test_images": len(splits.test),
        "split": splits.how,
        "shape": list(train.shape),
    }


def git_commit() -> str | None:
    """The commit of the source tree that runs, with "+" if it was changed; None outside a checkout."""
    here = Path(__file__).parent
    try:
        run = [
            subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, check=True, timeout=5)
            for words in (("rev-parse", "HEAD"), ("status", "--porcelain", "--untracked-files=no", "."))
        ]
    except (OSError, subprocess.SubprocessError):
        return None
    return run[0].stdout.strip() + ("+" if run[1].stdout.strip() else "")


def describe_batch(rows: Mapping[str, Tensor], data: Mapping[str, Dataset]) -> str:
    """The first few rows of a batch by their names, and their stream where there are several."""
    said = []
    for stream, own in rows.items():
        names = ", ".join(data[stream].names[i] for i in own[:3].tolist())
        names += f" and {len(own) - 3} more" if len(own) > 3 else ""
        said.append(names if len(rows) == 1 else f"{stream} ({names})")
    return f", on the batch of {' and '.join(said)}"
