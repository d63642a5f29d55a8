"""What every reader hands over: rows of images or points with their labels, names and scan. Torch-free."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pushforward.data.modes import Modes

Pixels = NDArray[np.uint8]
Points = NDArray[np.float32]
Content = NDArray[Any]  # uint8 images, N C H W, or float32 points, N D
MIN_SIDE, MAX_SIDE = 8, 256  # pixels, of a training image
TEST_SHARE = 0.1
NO_IMAGE = "not an image"  # why a file is left alone that does not claim to be one


Size = int | tuple[int, int] | None
"""Pixels a side, or (height, width), or None for the images' own."""


class BadSource(Exception):
    """Why a source cannot be read, and the fix, without the argument's name; a reader knows it not."""


@dataclass(frozen=True)
class Skip:
    """An image that was not used, and why. unreadable: whether it counts towards the 5 % limit."""

    path: str
    reason: str
    unreadable: bool = False


@dataclass(frozen=True)
class Scan:
    """What reading a source came to.

    found: image candidates seen. skipped: what was not used. converted: kind of conversion -> images.
    duplicates: images dropped because an earlier one decodes to the same pixels. doubts: what the reader had
    to assume, and how to say otherwise.
    """

    source: str
    found: int
    skipped: tuple[Skip, ...] = ()
    converted: dict[str, int] = field(default_factory=dict)
    duplicates: int = 0
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rows:
    """Decoded images, or points, before they are a `Dataset`.

    images: uint8, N C H W (no rows where `problem` says that sizes differ); or points, float32, N D.
    digests: one a row, of these pixels: equal ones are duplicates. keys: one a row, of the pixels before
    they were resized or brought to other channels: they decide the split and the subsets, so that these do
    not change with --image-size and --channels. names: one a row. labels: a class name a row, or None.
    classes: the class names in their order. scan: how the reading went. official_test: bool a row where the
    source brings its own split. problem: why the source cannot be trained on as it is, in one line, or the
    empty string. modes: of points that come from a known mixture. split_how: its own split in words.
    """

    images: Content
    digests: tuple[bytes, ...]
    keys: tuple[bytes, ...]
    names: tuple[str, ...]
    labels: tuple[str, ...] | None
    classes: tuple[str, ...] | None
    scan: Scan
    official_test: NDArray[np.bool_] | None = None
    problem: str = ""
    modes: Modes | None = None
    split_how: str = ""

    def __len__(self) -> int:
        return len(self.digests)

    @property
    def shape(self) -> tuple[int, ...]:
        """(channels, height, width) of images, (d,) of points."""
        return self.images.shape[1:]

    @property
    def fingerprint(self) -> str:
        """See `fingerprint`."""
        return fingerprint(self.shape, self.digests, self.labels, self.classes)

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> Rows:
        """The given rows in the given order, under the same scan."""
        index = np.asarray(rows, dtype=np.int64)
        if np.array_equal(index, np.arange(len(self))):
            return self  # spares a copy of all images
        return replace(
            self,
            images=self.images[index] if len(self.images) else self.images,
            digests=tuple(self.digests[i] for i in index),
            keys=tuple(self.keys[i] for i in index),
            names=tuple(self.names[i] for i in index),
            labels=None if self.labels is None else tuple(self.labels[i] for i in index),
            official_test=None if self.official_test is None else self.official_test[index],
        )


def digest(image: Pixels) -> bytes:
    """16 bytes that identify the shape and the pixels of one image: H W if grey, else H W C."""
    shape = (1, *image.shape) if image.ndim == 2 else (image.shape[2], *image.shape[:2])
    mark = hashlib.blake2b(repr(shape).encode(), digest_size=16)
    mark.update(np.ascontiguousarray(image).data)
    return mark.digest()


def digests(images: Content) -> tuple[bytes, ...]:
    """`digest` of every image of N C H W, or 16 bytes for every point of N D."""
    if images.ndim == 2:
        return _point_digests(images)
    grey = images.shape[1] == 1
    return tuple(digest(image[0] if grey else image.transpose(1, 2, 0)) for image in images)


def _point_digests(points: Points) -> tuple[bytes, ...]:
    width = points.shape[1] * points.itemsize
    content = np.ascontiguousarray(points).tobytes()
    return tuple(
        hashlib.blake2b(content[start : start + width], digest_size=16).digest()
        for start in range(0, len(content), width)
    )


def places(keys: Iterable[bytes]) -> NDArray[np.float64]:
    """Each row's own number in [0, 1), from its content alone; below TEST_SHARE it is held out."""
    return np.array([int.from_bytes(key[:8], "big") / 2**64 for key in keys])


def fingerprint(
    shape: Sequence[int],
    digests: Sequence[bytes],
    labels: Sequence[str] | None,
    classes: Sequence[str] | None,
) -> str:
    """SHA-256 over the image shape, the classes, and every row's pixels and label, in row order.

    File names are left out, so a folder and a zip of it agree; the order is in, because a seed draws
    rows by their position.
    """
    total = hashlib.sha256(repr((tuple(shape), tuple(classes or ()))).encode())
    for i, row in enumerate(digests):
        total.update(row)
        total.update(b"" if labels is None else labels[i].encode() + b"\0")
    return total.hexdigest()


def sides(size: int | tuple[int, int]) -> tuple[int, int]:
    """(height, width), in pixels."""
    return (size, size) if isinstance(size, int) else size


def class_order(words: Iterable[str]) -> tuple[str, ...]:
    """The distinct class names in natural order: numbers by value, before words; s10 follows s9."""
    return tuple(sorted(set(words), key=_natural))


def _natural(word: str) -> tuple[list[tuple[int, int, str]], str]:
    """The word itself decides where numbers are equal: 01 and 1."""
    if re.fullmatch(r"-[0-9]+", word):  # a number below zero; in other words "-" only divides
        return [(-1, int(word), "")], word
    parts = re.findall(r"[0-9]+|[^0-9]+", word)
    return [(0, int(p), "") if p.isdecimal() and p.isascii() else (1, 0, p) for p in parts], word


def size_problem(sizes: Counter[tuple[int, int]]) -> str:
    """Why images of these (width, height) need an --image-size, or the empty string."""
    listed = ", ".join(f"{w} × {h}: {n}" for (w, h), n in sizes.most_common(3))
    if len(sizes) > 1:
        more = ", …" if len(sizes) > 3 else ""
        return f"images of {len(sizes)} sizes ({listed}{more}); choose one for all, such as --image-size 64"
    if any(max(size) > MAX_SIDE for size in sizes):
        return f"images larger than {MAX_SIDE} pixels ({listed}); choose a size, such as --image-size 64"
    return ""
