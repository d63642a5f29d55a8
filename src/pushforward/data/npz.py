"""Images or points in a numpy archive, `.npz`. Torch-free; nothing is unpickled."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pushforward.data.arrays import Arrays, to_rows
from pushforward.data.labels import label_words
from pushforward.data.memory import available_bytes
from pushforward.data.ranges import BYTES, Extent, Meaning, PixelRange, agreed, held_as
from pushforward.data.rows import BadSource, Rows, Size, class_order

# (training part or all, official test part) of the images, and of their labels
IMAGES = (
    ("images", None),
    ("x_train", "x_test"),
    ("train_images", "test_images"),
    ("x", None),
    ("arr_0", None),
)
POINTS = "points"
LABELS = (
    ("labels", None),
    ("y_train", "y_test"),
    ("train_labels", "test_labels"),
    ("y", None),
    ("label", None),
    ("targets", None),
    ("arr_1", None),
)
# What numpy and zipfile raise on a damaged or hostile archive.
_BROKEN = (
    ValueError,
    EOFError,
    KeyError,
    RuntimeError,
    MemoryError,
    OverflowError,
    zlib.error,
    zipfile.BadZipFile,
)
Archive = Mapping[str, NDArray[np.generic]]


def is_npz(source: str) -> bool:
    """Whether the source is a numpy archive, by its name."""
    path = Path(source)
    return path.suffix.lower() == ".npz" and path.is_file()


def read_npz(
    source: str, *, image_size: Size, channels: int | None, pixel_range: PixelRange | None = None
) -> Rows:
    """Images under one of the keys `IMAGES`, N H W, N H W C or N C H W, with labels under `LABELS`.

    Or points under `POINTS`, N D.
    """
    try:
        _require_room(source)
        with np.load(source, allow_pickle=False) as archive:
            arrays = _points(archive) if POINTS in archive else _arrays(archive, pixel_range)
    except _BROKEN as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BadSource(
            f"{reason}; save it by np.savez(file, images=..., labels=...), or points=..."
        ) from error
    return to_rows(source, arrays, image_size=image_size, channels=channels)


def _require_room(source: str) -> None:
    with zipfile.ZipFile(source) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    have = available_bytes()
    if have is not None and 2 * unpacked > have:
        raise BadSource(
            f"its arrays hold {unpacked / 2**30:.1f} GiB and are held twice while read, "
            f"{have / 2**30:.1f} GiB are free; save fewer images, or as uint8"
        )


def _arrays(archive: Archive, pixel_range: PixelRange | None) -> Arrays:
    key, test_key = _find(archive, IMAGES)
    if key is None:
        listed = ", ".join(f"{k} {archive[k].shape}" for k in archive) or "nothing"
        expected = ", ".join([k for k, _ in IMAGES] + [POINTS])
        raise ValueError(f"no images in it: expected one of the keys {expected}, found {listed}")
    parts = [archive[k] for k in (key, test_key) if k is not None]
    shapes = [part.shape for part in parts]
    if any(len(shape) != len(shapes[0]) or shape[1:] != shapes[0][1:] for shape in shapes):
        raise ValueError(f"{key} has the shape {shapes[0]}, but {test_key} {shapes[1]}")
    stacked = parts[0] if len(parts) == 1 else np.concatenate(parts)
    images = _channels_last(key, stacked)
    names = [k for k in (key, test_key) if k is not None]
    meaning = _meaning(dict(zip(names, parts, strict=True)), pixel_range) if len(images) else BYTES
    pixels = meaning.to_bytes(images)
    labels = _labels(archive, len(images))
    held_out = np.arange(len(images)) >= len(parts[0]) if len(parts) > 1 else None
    return Arrays(
        pixels,
        labels,
        None if labels is None else class_order(labels),
        held_out,
        [f"{k} row {i}" for k, part in zip((key, test_key), parts, strict=False) for i in range(len(part))]
        if held_out is not None
        else None,
        {meaning.words: len(images)} if meaning.words else {},
        doubts=(meaning.doubt,) if meaning.doubt else (),
    )


def _meaning(parts: Archive, pixel_range: PixelRange | None) -> Meaning:
    """What the pixels of all parts mean. Raises Ambiguous."""
    dtype = np.result_type(*parts.values())
    extents = {name: Extent.of(part) for name, part in parts.items() if part.size}
    return agreed(held_as(dtype), extents, pixel_range, name=str(dtype))


def _points(archive: Archive) -> Arrays:
    given = archive[POINTS]
    if given.ndim != 2 or given.dtype.kind not in "iuf" or not given.size:
        raise ValueError(f"{POINTS} are {given.dtype} of the shape {given.shape}, expected numbers, N D")
    points = given.astype(np.float32)
    if not np.isfinite(points).all():
        raise ValueError(f"{POINTS} hold values that are not finite in single precision")
    labels = _labels(archive, len(points))
    what = {f"{given.dtype} to float32": len(points)} if given.dtype != np.float32 else {}
    return Arrays(points, labels, None if labels is None else class_order(labels), converted=what)


def _find(archive: Archive, keys: tuple[tuple[str, str | None], ...]) -> tuple[str | None, str | None]:
    for key, test_key in keys:
        if key in archive:
            return key, test_key if test_key in archive else None
    return None, None


def _channels_last(key: str, images: NDArray[np.generic]) -> NDArray[np.generic]:
    if images.ndim == 3:
        return images
    if images.ndim == 4 and images.shape[3] in (1, 2, 3, 4):
        return images
    if images.ndim == 4 and images.shape[1] in (1, 2, 3, 4):
        return images.transpose(0, 2, 3, 1)
    raise ValueError(f"{key} has the shape {images.shape}, expected N H W, N H W C or N C H W")


def _labels(archive: Archive, n: int) -> list[str] | None:
    key, test_key = _find(archive, LABELS)
    if key is None:
        return None
    try:
        return label_words({k: archive[k] for k in (key, test_key) if k is not None}, n)
    except ValueError as error:
        raise BadSource(str(error)) from error
