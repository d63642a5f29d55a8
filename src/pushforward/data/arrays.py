"""Sources that hold arrays of pixels rather than image files: `.npz` and IDX. Torch-free."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pushforward.data.decode import MODES, fit
from pushforward.data.files import size_problem
from pushforward.data.memory import require_memory
from pushforward.data.rows import MIN_SIDE, Pixels, Rows, Scan, digests
from pushforward.errors import UserError


@dataclass(frozen=True)
class Arrays:
    """What a source of arrays holds.

    images: uint8, N H W or N H W C. labels: N, of any type, or None. test: bool, N, where the source
    brings its own split. classes: names of integer labels. names: one a row. converted: as in `Scan`.
    """

    images: Pixels
    labels: NDArray[np.generic] | None = None
    test: NDArray[np.bool_] | None = None
    classes: tuple[str, ...] | None = None
    names: tuple[str, ...] | None = None
    converted: dict[str, int] = field(default_factory=dict)


def to_rows(source: str, arrays: Arrays, *, image_size: int | None, channels: int | None) -> Rows:
    """Bring arrays to the asked size and channels."""
    n, height, width = arrays.images.shape[:3]
    native = 1 if arrays.images.ndim == 3 else arrays.images.shape[3]
    if native not in MODES:
        raise UserError(f"--data {source}: images of {native} channels, expected 1 (grey) to 4 (RGBA)")
    if min(height, width) < MIN_SIDE:
        raise UserError(f"--data {source}: images of {width} × {height}, expected at least {MIN_SIDE} a side")
    wanted = channels or (1 if native <= 2 else 3)
    require_memory(source, n, image_size or height, image_size or width, wanted)
    converted = Counter(arrays.converted)
    images = arrays.images.reshape(n, height, width, native)
    if wanted != native or (image_size or height, image_size or width) != (height, width):
        images = _convert(images, wanted, image_size, converted)
    scan = Scan(source, n, converted=dict(sorted(converted.items())))
    stacked = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    sizes = Counter({(width, height): n})
    labels = None
    if arrays.labels is not None:
        names = [str(word) for word in arrays.classes or ()]
        labels = tuple(names[int(v)] if names else str(v) for v in arrays.labels.tolist())
    return Rows(
        stacked,
        digests(stacked),
        arrays.names or tuple(f"row {i}" for i in range(n)),
        labels,
        scan,
        arrays.test,
        sizes,
        "" if image_size else size_problem(sizes),
    )


def _convert(images: Pixels, channels: int, image_size: int | None, converted: Counter[str]) -> Pixels:
    n, height, width, native = images.shape
    if native != channels:
        converted[f"{MODES[native]} to {MODES[channels]}"] += n
    size = (image_size, image_size) if image_size else (height, width)
    if size != (height, width):
        converted["resized"] += n
    result = np.empty((n, *size, channels), np.uint8)
    for i, pixels in enumerate(images):
        image = Image.fromarray(pixels[..., 0] if native == 1 else pixels, MODES[native])
        if native in (2, 4) and channels in (1, 3):
            white = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(white, image.convert("RGBA"))
        if native != channels:
            image = image.convert(MODES[channels])
        if image_size:
            image = fit(image, image_size)
        result[i] = np.asarray(image).reshape(*size, channels)
    return result


def is_idx_folder(folder: Path) -> bool:
    """Whether a folder holds IDX files under MNIST's names."""
    return False


def is_npz(source: str) -> bool:
    """Whether the source is a numpy archive."""
    return False


def read_npz(source: str, *, image_size: int | None, channels: int | None) -> Rows:
    """A numpy archive."""
    raise UserError("not yet")


read_idx_folder = read_npz
