"""What a row of data is, in words and units: an image or a point. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """What a row of data is. name: "image". one: "an image". squared_error: the unit of a mean over it."""

    name: str
    one: str
    squared_error: str

    @staticmethod
    def of(shape: Sequence[int]) -> Kind:
        """The kind of rows of this shape: (d,) are points, (channels, height, width) images."""
        return POINT if len(shape) == 1 else IMAGE

    @property
    def many(self) -> str:
        """The plural of `name`."""
        return f"{self.name}s"

    def count(self, n: int) -> str:
        """So many rows: "1 image", "2,000 images"."""
        return f"{n:,} {self.name if n == 1 else self.many}"

    def per(self, unit: str) -> str:
        """A unit for each row: "nats/image"."""
        return f"{unit}/{self.name}"


IMAGE = Kind("image", "an image", "MSE on [0, 1]")
POINT = Kind("point", "a point", "MSE of a number")

COLOURS = {1: "grey", 2: "grey with alpha", 3: "colour", 4: "colour with alpha"}


def size_of(shape: Sequence[int]) -> str:
    """Rows of this shape: "points of 2 numbers", "images of 28 × 28 pixels and 1 channel"."""
    if len(shape) == 1:
        return f"points of {_numbers(shape[0])}"
    channels, height, width = shape
    return f"images of {width} × {height} pixels and {channels} channel{'s' * (channels > 1)}"


def looks_of(shape: Sequence[int]) -> str:
    """How one row of this shape looks: "28 × 28 pixels, grey", "2 numbers each"."""
    if len(shape) == 1:
        return f"{_numbers(shape[0])} each"
    channels, height, width = shape
    return f"{width} × {height} pixels, {COLOURS.get(channels, f'{channels} channels')}"


def _numbers(n: int) -> str:
    return f"{n:,} number{'s' * (n > 1)}"
