"""Choosing a run's folder, and holding it against other runs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path

from pushforward.config import RunConfig
from pushforward.errors import UserError
from pushforward.run_folder import RunFolder
from pushforward.runs.places import named_after
from pushforward.training.distributed import World
from pushforward.training.folder import locked

LONGEST = 100  # characters of a folder's name that we choose


def choose_folder(config: RunConfig, world: World) -> Path:
    """The folder asked for, or the first free runs/METHOD-DATA; the same one in every process."""
    if config.train.run is not None:
        folder = Path(config.train.run)
        if folder.exists():
            refuse_occupied(folder)
        return folder
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join([config.method, *named_after(config)]))[:LONGEST]
    return Path(world.same(_first_free(stem) if world.main else ""))


def _first_free(stem: str) -> str:
    """Make runs/STEM, or the first runs/STEM-2, -3 ... that is free: made, so that no other run takes it."""
    for i in count(1):
        folder = Path("runs") / (stem if i == 1 else f"{stem}-{i}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise UserError(f"--run: cannot make {folder} ({error.strerror}); name a folder") from error
        return str(folder)
    raise AssertionError("unreachable")


def refuse_occupied(folder: Path) -> None:
    """Raise UserError if the folder holds a run already, or anything that no run wrote."""
    if not folder.is_dir():
        raise UserError(f"--run: {folder} is a file; name a folder that does not exist yet")
    if RunFolder(folder).begun or RunFolder(folder).mixture.exists():
        raise UserError(
            f"--run: {folder} already holds a run; continue it with `pushforward train --resume {folder}` "
            "or name another folder"
        )
    ours = ("config.yaml", "LOCK", "checkpoints", ".partial-config.yaml")
    strangers = [p.name for p in folder.iterdir() if p.name not in ours]
    if strangers:
        raise UserError(
            f"--run: {folder} is not empty ({strangers[0]}); name a folder that does not exist yet"
        )


@contextmanager
def claimed(folder: Path, world: World) -> Iterator[None]:
    """Make the folder and hold its lock, in the main process; the others wait until it is theirs."""
    with ExitStack() as stack:
        if world.main:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                stack.enter_context(locked(folder))
            except OSError as error:
                raise UserError(
                    f"--run: cannot write to {folder} ({error.strerror}); choose another folder"
                ) from error
        world.barrier()
        yield


def present(config: RunConfig) -> frozenset[Path]:
    """The folders on the way to a run's own that are there before it: they are not the run's to remove."""
    folder = Path("runs") / "x" if config.train.run is None else Path(config.train.run)
    return frozenset(path for path in (folder, folder.parent) if path.exists())


@contextmanager
def no_empty_folder(folder: Path, *, before: Collection[Path]) -> Iterator[None]:
    """If a run comes to nothing before it wrote anything, its folder goes too; but for those there before."""
    try:
        yield
    except BaseException:
        with suppress(OSError):  # not empty: then something was written
            for path in (folder, folder.parent):
                if path not in before:
                    path.rmdir()
        raise
