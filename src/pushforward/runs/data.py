"""A run's config and its data: read, split, prepared, and where they came from."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pushforward import __version__
from pushforward.abilities import PreparesData, offers
from pushforward.config import RunConfig, TrainOptions, read_config
from pushforward.core import Algorithm
from pushforward.data import Dataset, Splits, load_splits
from pushforward.data.dataset import split_validation
from pushforward.errors import UserError

VALIDATION = 0.05  # share of the training data that chooses the best weights, where a method chooses any


@dataclass(frozen=True)
class Prepared:
    """A run's data, as its method takes them, and what they were."""

    train: Dataset
    validation: Dataset | None
    provenance: Mapping[str, Any]


def read_run(folder: Path) -> RunConfig:
    """The config of a run folder. Raises UserError if it is none."""
    path = folder / "config.yaml"
    if not folder.is_dir():
        raise UserError(f"RUN: there is no folder {folder}; expected one that `pushforward train` made")
    if not path.is_file():
        raise UserError(f"RUN: {folder} is no run folder: it has no config.yaml; name one that has")
    return read_config(path)


def load_data(options: TrainOptions) -> Splits:
    """The training and held-out images or points that the options name."""
    return load_splits(
        options.data,
        test=options.test,
        image_size=options.image_size,
        channels=options.channels,
        limit=options.limit,
        limit_seed=options.limit_seed,
    )


def prepare(config: RunConfig) -> Prepared:
    """Read and split the data, and prepare them as the method wants."""
    splits = load_data(config.train)
    if config.train.validation is None:
        config.train.validation = _default_share(config, splits.train.shape)
    train_set, validation = split_validation(splits.train, config.train.validation)
    about = provenance(splits, train_set)
    if offers(config.options, PreparesData):
        train_set = config.options.prepare_data(train_set)
        validation = validation and config.options.prepare_data(validation)
    return Prepared(train_set, validation, about)


def _default_share(config: RunConfig, shape: tuple[int, ...]) -> float:
    """What is set aside to choose the best weights: nothing, where the method chooses none."""
    algorithm: Algorithm = config.options.build(shape)
    return VALIDATION if algorithm.selector else 0.0


def provenance(splits: Splits, train_set: Dataset) -> dict[str, Any]:
    """Versions, commit and data: what another machine needs to rerun this."""
    return {
        "pushforward": __version__,
        "torch": str(torch.__version__),
        "python": platform.python_version(),
        "commit": git_commit(),
        "data": {
            "train_fingerprint": splits.train.fingerprint,
            "test_fingerprint": splits.test.fingerprint,
            "train_images": len(train_set),
            "test_images": len(splits.test),
            "split": splits.how,
            "shape": list(train_set.shape),
        },
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
