"""Rows from arrays of pixels or points, whatever type they have and file they come from. Torch-free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pushforward.data.decode import MODES, fit
from pushforward.data.memory import require_memory
from pushforward.data.modes import Modes
from pushforward.data.rows import (
    MIN_SIDE,
    BadSource,
    Content,
    Pixels,
    Rows,
    Scan,
    Size,
    class_order,
    digests,
    sides,
    size_problem,
)


@dataclass(frozen=True)
class Arrays:
    """What a source of arrays holds.

    images: uint8, N H W or N H W C; or points, float32, N D. labels: a class name a row, or None. classes:
    their order. test: bool a row where the source brings its own split. names: one a row. converted: as in
    `Scan`, as doubts. modes: of points that come from a known mixture.
    """

    images: Content
    labels: Sequence[str] | None = None
    classes: Sequence[str] | None = None
    test: NDArray[np.bool_] | None = None
    names: Sequence[str] | None = None
    converted: dict[str, int] = field(default_factory=dict)
    modes: Modes | None = None
    doubts: tuple[str, ...] = ()


def to_rows(source: str, arrays: Arrays, *, image_size: Size, channels: int | None) -> Rows:
    """Bring arrays to the asked size and channels. Raises BadSource for shapes that are no images."""
    if arrays.images.ndim == 2:
        return _points_to_rows(source, arrays, image_size=image_size, channels=channels)
    native = arrays.images[..., None] if arrays.images.ndim == 3 else arrays.images
    n, height, width, depth = native.shape
    if not n:
        raise BadSource("it holds no images; expected at least 2")
    if depth not in MODES:
        raise BadSource(f"images of {depth} channels, expected 1 (grey) to 4 (RGBA)")
    if min(height, width) < MIN_SIDE:
        raise BadSource(f"images of {width} × {height}, expected at least {MIN_SIDE} a side")
    wanted = channels or (1 if depth <= 2 else 3)
    size = sides(image_size) if image_size else (height, width)
    require_memory(n, size[0], size[1], wanted)
    converted = Counter(arrays.converted)
    images = native
    if wanted != depth or size != (height, width):
        images = _convert(native, wanted, size, converted)
    stacked = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    marks = digests(stacked)
    return Rows(
        stacked,
        marks,
        marks if images is native else digests(native.transpose(0, 3, 1, 2)),
        tuple(arrays.names or (f"row {i}" for i in range(n))),
        None if arrays.labels is None else tuple(arrays.labels),
        tuple(arrays.classes or class_order(arrays.labels or ())) or None,
        Scan(source, n, converted=dict(sorted(converted.items())), doubts=arrays.doubts),
        arrays.test,
        "" if image_size else size_problem(Counter({(width, height): n})),
    )


def _points_to_rows(source: str, arrays: Arrays, *, image_size: Size, channels: int | None) -> Rows:
    n, d = arrays.images.shape
    if image_size is not None or channels is not None:
        option = "--channels" if image_size is None else "--image-size"
        raise BadSource(f"it holds points of {d} numbers, which have no pixels; leave {option} out")
    if not n or not d:
        raise BadSource(f"it holds {n} points of {d} numbers; expected at least 2 of 1")
    marks = digests(arrays.images)
    return Rows(
        np.ascontiguousarray(arrays.images),
        marks,
        marks,
        tuple(arrays.names or (f"row {i}" for i in range(n))),
        None if arrays.labels is None else tuple(arrays.labels),
        tuple(arrays.classes or class_order(arrays.labels or ())) or None,
        Scan(source, n, converted=dict(sorted(arrays.converted.items()))),
        arrays.test,
        modes=arrays.modes,
    )


def _convert(images: Pixels, channels: int, size: tuple[int, int], converted: Counter[str]) -> Pixels:
    n, height, width, native = images.shape
    white = Image.new("RGBA", (width, height), "white")
    composite = native in (2, 4) and channels in (1, 3)
    if composite:
        converted["alpha composited on white"] += n
    if native <= 2 < channels:
        converted["grey to RGB"] += n
    if native > 2 >= channels:
        converted["colour to grey"] += n
    if size != (height, width):
        converted["resized"] += n
    result = np.empty((n, *size, channels), np.uint8)
    for i, pixels in enumerate(images):
        image = Image.fromarray(pixels[..., 0] if native == 1 else pixels)
        if composite:
            image = Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
        image = image.convert(MODES[channels])
        if size != (height, width):
            image = fit(image, size)
        result[i] = np.asarray(image).reshape(*size, channels)
    return result
