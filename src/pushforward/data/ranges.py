"""What the numbers of a source's pixels mean: one decision for all of them, from all of them. Torch-free.

Black and white are two numbers, and a file does not say which. Bytes are 0 to 255; anything else is told by
its type and by the least and greatest of the whole source, with tolerance for rounding and for the ringing of
a resize. What could be read in two ways is refused: the user knows, and says so by `pixel_range`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Held = Literal["8-bit", "16-bit", "integers", "floating point"]
PixelRange = tuple[float, float]
SLACK = 0.01  # share of a range by which pixels may leave it
DIM = 64  # a whole source of bytes below it, in a type that holds more, is as likely no source of bytes
DEPTHS = (8, 10, 12, 14, 16)  # bits that 16 are used for


class Ambiguous(ValueError):
    """Why pixels cannot be read, and the fix."""


@dataclass(frozen=True)
class Extent:
    """The least and greatest of some pixels, and whether all are whole numbers."""

    low: float
    high: float
    whole: bool

    def __or__(self, other: Extent) -> Extent:
        return Extent(min(self.low, other.low), max(self.high, other.high), self.whole and other.whole)

    @staticmethod
    def of(values: NDArray[np.generic]) -> Extent:
        """Raises Ambiguous where a pixel is no finite number."""
        if values.dtype.kind not in "biuf":
            raise Ambiguous(f"pixels of type {values.dtype}, expected numbers")
        low, high = float(values.min()), float(values.max())
        if not math.isfinite(low) or not math.isfinite(high):
            raise Ambiguous("pixels that are NaN or infinite; mend them or leave these images out")
        numbers = values if values.dtype.kind == "f" else None
        return Extent(low, high, numbers is None or bool((numbers == np.rint(numbers)).all()))


ALL = Extent(0, 255, whole=True)


@dataclass(frozen=True)
class Meaning:
    """The pixels that become 0 and 255. words: what was done to them, or "" for bytes. doubt: or ""."""

    low: float
    high: float
    words: str = ""
    doubt: str = ""

    def to_bytes(self, values: NDArray[np.generic]) -> NDArray[np.uint8]:
        """uint8; what lies outside is clipped."""
        if values.dtype == np.uint8 and (self.low, self.high) == (0, 255):
            return values.view(np.uint8)
        wide = np.float64 if values.dtype.itemsize > 4 else np.float32
        numbers: NDArray[np.floating] = values.astype(wide)
        scaled = (numbers - self.low) * (255 / (self.high - self.low))
        return np.rint(scaled.clip(0, 255)).astype(np.uint8)


BYTES = Meaning(0, 255)
USUAL: Mapping[Held, Meaning] = {
    "8-bit": BYTES,
    "16-bit": Meaning(0, 65535, "16-bit scaled"),
    "integers": Meaning(0, 65535, "16-bit scaled"),
    "floating point": Meaning(0, 1, "floating point in [0, 1]"),
}


def held_as(dtype: np.dtype[np.generic]) -> Held:
    """What an array's type says of its pixels."""
    if dtype.kind == "f":
        return "floating point"
    if dtype.kind in "bu" and dtype.itemsize <= 2:
        return "8-bit" if dtype.itemsize == 1 else "16-bit"
    return "integers"


def meaning(held: Held, extent: Extent, given: PixelRange | None = None, *, name: str = "") -> Meaning:
    """What pixels held as `held`, of this extent over the whole source, mean. given: as the user says.

    name: of their type, where it says more than `held`. Raises Ambiguous where they could be read in two
    ways.
    """
    name = name or held
    if given is not None:
        return Meaning(*given, f"{name}, {given[0]:g} as black and {given[1]:g} as white")
    low, high = extent.low, extent.high
    if held == "8-bit":
        return _of_bytes(name, high)
    if extent.whole and low >= 0 and high <= 1:
        return Meaning(0, 1, f"{name} of 0 and 1 as black and white")
    if held == "16-bit" or (held == "integers" and low >= 0 and 255 < high <= 65535):
        return _of_words(name, high)
    if held == "floating point":
        for a, b in ((0, 1), (-1, 1)):
            if _within(low, high, a, b) and (a == 0 or low <= -0.5):
                return Meaning(a, b, f"{name} in [{a}, {b}]")
    if _within(low, high, 0, 255) and high >= DIM:
        return Meaning(0, 255, f"{name} in [0, 255]")
    raise Ambiguous(f"{name} pixels from {low:g} to {high:g}, {_fix(low, high)}")


def _of_bytes(name: str, high: float) -> Meaning:
    if high == 1:
        return Meaning(0, 1, f"{name} of 0 and 1 as black and white")
    if 1 < high < DIM / 2:
        told = f"no pixel is above {high:g} of 255; if {high:g} is white, say `pixel_range` 0 {high:g}"
        return Meaning(0, 255, "", told)
    return BYTES


def _of_words(name: str, high: float) -> Meaning:
    bits = next(bits for bits in DEPTHS if high < 2**bits)
    if bits == DEPTHS[-1]:
        return USUAL["16-bit"]
    top = 2**bits - 1
    told = (
        f"no pixel of 16 bits is above {high:g}, so {top} is taken for white; `pixel_range` 0 65535 does not"
    )
    return Meaning(0, top, f"{bits} of 16 bits scaled", told)


def _within(low: float, high: float, a: float, b: float) -> bool:
    slack = SLACK * (b - a)
    return a - slack <= low and high <= b + slack


def _fix(low: float, high: float) -> str:
    return (
        "which could mean several things; say which are black and white, such as `pixel_range` "
        f"{math.floor(low) if low < 0 else 0:g} {math.ceil(high):g}"
    )


def agreed(
    held: Held, parts: Mapping[str, Extent], given: PixelRange | None = None, *, name: str = ""
) -> Meaning:
    """One meaning for parts that are read alike. Raises Ambiguous where one of them says otherwise by itself.

    A dark part proves nothing; one of fractions in [0, 1] beside bytes does, or one that stays above 0 where
    the others reach -1.
    """
    extents = iter(parts.values())
    whole = next(extents)
    for extent in extents:
        whole = whole | extent
    chosen = meaning(held, whole, given, name=name)
    if given is not None or held in ("8-bit", "16-bit"):
        return chosen
    for part, extent in parts.items():
        if extent.high > extent.low and _contradicts(chosen, extent):
            raise Ambiguous(
                f"{part} holds pixels from {extent.low:g} to {extent.high:g}, but all together go from "
                f"{whole.low:g} to {whole.high:g}; bring them to one range"
            )
    return chosen


def _contradicts(chosen: Meaning, extent: Extent) -> bool:
    if chosen.high == 255:
        return extent.high <= 1 + SLACK and not extent.whole
    return chosen.low == -1 and extent.low >= -SLACK and extent.high > 0.5


def checked(pixel_range: Iterable[float] | None) -> PixelRange | None:
    """As given by a user. Raises ValueError unless it is two finite numbers, the smaller one first."""
    if pixel_range is None:
        return None
    numbers = tuple(float(v) for v in pixel_range)
    if len(numbers) != 2 or not all(map(math.isfinite, numbers)) or not numbers[0] < numbers[1]:
        shown = " ".join(f"{v:g}" for v in numbers)
        raise ValueError(f"`pixel_range`: {shown}; expected the number of black and, above it, that of white")
    return numbers[0], numbers[1]
