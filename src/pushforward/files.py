"""Files that are whole or absent, and JSON lines. Torch-free."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_durably(path: Path, content: bytes) -> None:
    """Replace a file in one step: after a crash it is the old one or the new one, never a part."""
    partial = path.with_name(f".partial-{path.name}")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    fsync(path.parent)


def fsync(path: Path) -> None:
    """Flush a file's or a folder's content to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class MetricsLog:
    """`metrics.jsonl`: one row a logged step, appended and flushed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def cut_back(self, step: int) -> None:
        """Drop rows after `step`, and a last row that a kill left unfinished."""
        if not self.path.exists():
            return
        kept = [json.dumps(row) + "\n" for row in read_metrics(self.path) if row["step"] <= step]
        write_durably(self.path, "".join(kept).encode())

    def clear(self) -> None:
        """Begin anew."""
        self.path.unlink(missing_ok=True)

    @property
    def last_step(self) -> int:
        """The step of the last row; 0 where there is none."""
        return max((row["step"] for row in read_metrics(self.path)), default=0)

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a row."""
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The whole rows of a metrics file; an unfinished last one is left out."""
    rows = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows
