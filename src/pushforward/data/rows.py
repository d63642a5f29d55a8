"""What every reader hands over: rows of decoded images with their labels, names and scan. Torch-free."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
MIN_SIDE, MAX_SIDE = 8, 256  # pixels, of a training image
MAX_UNREADABLE = 0.05  # share of the images found


@dataclass(frozen=True)
class Skip:
    """An image that was not used, and why. unreadable: whether it counts towards the 5 % limit."""

    path: str
    reason: str
    unreadable: bool = False


@dataclass(frozen=True)
class Scan:
    """What reading a source came to.

    found: image candidates seen. skipped: those not used. converted: kind of conversion -> images.
    duplicates: images dropped because an earlier one decodes to the same pixels.
    """

    source: str
    found: int
    skipped: tuple[Skip, ...] = ()
    converted: dict[str, int] = field(default_factory=dict)
    duplicates: int = 0


@dataclass(frozen=True)
class Rows:
    """Decoded images before they are a `Dataset`.

    images: uint8, N C H W (no rows where `problem` says that sizes differ). digests: one a row, of the
    decoded pixels. labels: class names, one a row, or None. official_test: bool a row where the source
    brings its own split. sizes: (width, height) -> images, as decoded. problem: why the source cannot
    be trained on as it is, in one line, or the empty string.
    """

    images: Pixels
    digests: tuple[bytes, ...]
    names: tuple[str, ...]
    labels: tuple[str, ...] | None
    scan: Scan
    official_test: NDArray[np.bool_] | None = None
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    problem: str = ""

    def __len__(self) -> int:
        return len(self.digests)

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> Rows:
        """The given rows in the given order, under the same scan."""
        index = np.asarray(rows, dtype=np.int64)
        if len(self.images):
            # without this, every Dataset would be copied once more on its way to torch
            whole = len(index) == len(self) and bool((index == np.arange(len(self))).all())
            images = self.images if whole else self.images[index]
        else:
            images = self.images
        return replace(
            self,
            images=images,
            digests=tuple(self.digests[i] for i in index),
            names=tuple(self.names[i] for i in index),
            labels=None if self.labels is None else tuple(self.labels[i] for i in index),
            official_test=None if self.official_test is None else self.official_test[index],
        )


def digest(image: Pixels) -> bytes:
    """16 bytes that identify the decoded pixels and the shape of one image."""
    return hashlib.blake2b(repr(image.shape).encode() + image.tobytes(), digest_size=16).digest()


def digests(images: Pixels) -> tuple[bytes, ...]:
    """`digest` of every image of N C H W."""
    return tuple(digest(image) for image in images)


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
