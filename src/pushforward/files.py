"""Files that are whole or absent, and JSON lines. Torch-free."""

from __future__ import annotations

import errno
import json
import math
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from pushforward.reading import Damaged, read_lines


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, which replaces the one at `path` in one step when the block ends, and is flushed.

    After a crash it is the old one or the new one, never a part. A block that fails leaves the old one.
    """
    partial = path.with_name(f".partial-{path.name}")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        fsync(path.parent)
    except BaseException as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise named(error, path) from error
        raise


def write_durably(path: Path, content: bytes) -> None:
    """Replace a file in one step: after a crash it is the old one or the new one, never a part."""
    with whole(path) as file:
        file.write(content)


def named(error: OSError, path: Path) -> OSError:
    """The error with the file that it is about: a full disk names none."""
    return error if error.filename else OSError(error.errno, error.strerror, str(path))


def fsync(path: Path) -> None:
    """Flush a file's or a folder's content to the disk; of a folder, where the file system can."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if not (path.is_dir() and error.errno in (errno.EINVAL, errno.ENOTSUP, errno.EBADF)):
            raise named(error, path) from error
    finally:
        os.close(descriptor)


def fsync_rows(folder: Path) -> None:
    """Flush every file of rows in a folder: a power cut after this takes none that were there."""
    for path in sorted(folder.glob("*.jsonl")):
        fsync(path)


class MetricsLog:
    """`metrics.jsonl`: one row a logged step, appended and flushed."""

    def __init__(self, path: Path, schema: str = "MetricsRow") -> None:
        self.path, self.schema = path, schema

    def cut_back(self, step: int) -> None:
        """Drop rows after `step`, and a last row that a kill left unfinished."""
        if not self.path.exists():
            return
        kept = [json.dumps(row) + "\n" for row in read_metrics(self.path, self.schema) if row["step"] <= step]
        write_durably(self.path, "".join(kept).encode())

    def clear(self) -> None:
        """Begin anew."""
        self.path.unlink(missing_ok=True)

    @property
    def last_step(self) -> int:
        """The step of the last row; 0 where there is none."""
        return max((row["step"] for row in read_metrics(self.path, self.schema)), default=0)

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a row, without what is NaN or infinite: it says nothing, and is no JSON."""
        finite = {k: v for k, v in row.items() if not isinstance(v, float) or math.isfinite(v)}
        with self.path.open("a") as file:
            file.write(json.dumps(finite) + "\n")


def read_metrics(path: Path, schema: str = "MetricsRow") -> list[dict[str, Any]]:
    """The whole rows of a metrics file; an unfinished last one is left out, and damaged ones with a note."""
    try:
        rows, damaged = read_lines(path, schema)
    except Damaged as error:
        warnings.warn(f"{error}; it is left out", stacklevel=2)
        return []
    if damaged:
        warnings.warn(f"{path}: {damaged} damaged rows are left out", stacklevel=2)
    return rows
