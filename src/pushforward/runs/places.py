"""Where a run's data lie: paths from the root, so that they mean the same in every folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pushforward.config import RunConfig
from pushforward.data.named import NAMED
from pushforward.streams import DATA


def locate(config: RunConfig) -> None:
    """Make the paths of a config's data absolute; names stay names, and what is not there stays as it is."""
    train = config.train
    train.data = None if train.data is None else located(train.data)
    train.test = None if train.test is None else located(train.test)
    train.data_of = {name: located(source) for name, source in train.data_of.items()}
    train.test_of = {name: located(source) for name, source in train.test_of.items()}
    train.init_from = None if train.init_from is None else located(train.init_from)


def located(source: str) -> str:
    """A path from the root, where there is such a file or folder; anything else as it is."""
    path = Path(source)
    try:
        return str(path.absolute()) if source and source not in NAMED and path.exists() else source
    except (OSError, ValueError):  # a name too long, or with a NUL in it: whoever reads it says so
        return source


def moved(config: RunConfig, stream: str, source: str) -> RunConfig:
    """The config of a run whose data of one stream lie elsewhere now."""
    train = config.train
    here = (
        replace(train, data=source)
        if stream == DATA
        else replace(train, data_of={**train.data_of, stream: source})
    )
    return replace(config, train=here)
