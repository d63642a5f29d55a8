"""Finished cells on disk, so that none is run twice. Torch-free.

A file a cell, written whole or not at all. A cell counts as finished only for the code and the versions
that made it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pushforward.data.fetch import cache_folder
from pushforward.experiments.harness.experiment import Cell
from pushforward.experiments.harness.sources import Sources


@dataclass(frozen=True, kw_only=True)
class Record:
    """A finished cell. seconds: wall-clock of its run. code: module -> hash of what it ran."""

    figures: Mapping[str, float]
    seconds: float
    hardware: str
    versions: Mapping[str, str]
    code: Mapping[str, str]


class CellCache:
    """The finished cells of one experiment, in $PUSHFORWARD_CACHE/experiments/NAME."""

    def __init__(self, name: str, sources: Sources, versions: Mapping[str, str]) -> None:
        self.folder = cache_folder() / "experiments" / name
        self.name = name
        self.sources = sources
        self.versions = versions

    def get(self, cell: Cell) -> Record | None:
        """What the cell gave, if this same code ran it; None also for a damaged file."""
        try:
            content = json.loads(self._path(cell, "json").read_text())
            record = Record(**content["record"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        same = record.versions == self.versions and self.sources.unchanged(record.code)
        return record if same else None

    def put(self, cell: Cell, record: Record) -> None:
        """Keep what the cell gave."""
        content = {"experiment": self.name, "cell": _identity(cell), "record": asdict(record)}
        write_whole(self._path(cell, "json"), json.dumps(content, indent=1, ensure_ascii=False) + "\n")

    def log(self, cell: Cell) -> Path:
        """Where to keep what the cell prints."""
        return self._path(cell, "log")

    def _path(self, cell: Cell, suffix: str) -> Path:
        identity = json.dumps(_identity(cell), sort_keys=True).encode()
        return self.folder / f"{hashlib.sha256(identity).hexdigest()[:24]}.{suffix}"


def write_whole(path: Path, text: str) -> None:
    """Write a file that is there completely or not at all, even if the process is killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def _identity(cell: Cell) -> dict[str, object]:
    return {
        "method": cell.method,
        "setting": cell.setting,
        "seed": cell.seed,
        "options": dict(cell.options),
    }
