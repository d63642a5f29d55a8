"""Where a run's data lie: paths from the root, so that they mean the same in every folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pushforward.config import RunConfig
from pushforward.data.layout import domains_of, role_of
from pushforward.data.named import NAMED
from pushforward.errors import UserError
from pushforward.streams import DATA


def divide_by_stream(config: RunConfig) -> None:
    """Give each stream its part, where one folder is given for all: trainA and testA to the stream "a".

    Only for a method of several streams, and where the folder has a part to train on for each; otherwise the
    config stays as it is, and its check says what is missing. Raises UserError where a stream is given by
    itself too.
    """
    train = config.train
    if train.data is None or DATA in config.streams:
        return
    domains = domains_of(Path(train.data)) if train.data not in NAMED else {}
    parts = {name: domains.get(name.upper(), {}) for name in config.streams}
    if not all("train" in own for own in parts.values()):
        return
    for option, named in (("data", train.data_of), ("test", train.test_of)):
        for name in named:
            raise UserError(
                f"`data`: {train.data} holds data of every stream, but `{option}.{name}` is given too; "
                "leave one of them out"
            )
    train.data_of = {name: str(own["train"]) for name, own in parts.items()}
    held_out = {name: own.get("test", own.get("val")) for name, own in parts.items()}
    train.test_of = {name: str(path) for name, path in held_out.items() if path is not None}
    train.data = None


def named_after(config: RunConfig) -> list[str]:
    """What the data are called: each source by its name, and one folder of all streams by its own."""
    paths = [Path(source) for source in config.sources.values()]
    folders = {path.parent for path in paths if (role := role_of(path.name)) is not None and role.domain}
    if len(paths) > 1 and len(folders) == 1 and all(path.parent in folders for path in paths):
        return [folders.pop().absolute().name]
    return [path.stem for path in paths]


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
