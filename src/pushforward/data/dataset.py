"""A data set in memory as tensors, and its split into training and held-out images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from pushforward.data import rows as _rows
from pushforward.data.rows import Rows, Scan
from pushforward.data.sources import read_source
from pushforward.data.splits import drop_duplicates, split, subset, without
from pushforward.errors import UserError


@dataclass(frozen=True)
class Dataset:
    """Images in memory.

    images: uint8, N C H W. labels: int64, N, indices into `classes`, or None. names: one a row, the
    file's path in the source or "row 17". fingerprint: SHA-256 over shape, classes, and every row's
    pixels and label in row order (names are left out); equal on every machine.
    """

    images: Tensor
    labels: Tensor | None
    names: tuple[str, ...]
    classes: tuple[str, ...] | None
    scan: Scan
    fingerprint: str

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        c, h, w = self.images.shape[1:]
        return c, h, w

    @classmethod
    def of(
        cls,
        images: Tensor,
        labels: Tensor | None = None,
        *,
        names: Sequence[str] | None = None,
        classes: Sequence[str] | None = None,
        scan: Scan | None = None,
    ) -> Dataset:
        """A data set from tensors alone: uint8 images N C H W, int64 labels N."""
        if labels is not None and classes is None:
            classes = [str(i) for i in range(int(labels.max()) + 1)]
        words = None if labels is None or classes is None else [classes[i] for i in labels.tolist()]
        digests = _rows.digests(images.cpu().numpy())
        return cls(
            images,
            labels,
            tuple(names or (f"row {i}" for i in range(len(images)))),
            None if classes is None else tuple(classes),
            scan or Scan("memory", len(images)),
            _rows.fingerprint(images.shape[1:], digests, words, classes),
        )

    def subset(self, rows: Tensor | Sequence[int]) -> Dataset:
        """The given rows, in the given order, with a fingerprint of their own."""
        index = torch.as_tensor(rows, dtype=torch.int64, device=self.images.device)
        return Dataset.of(
            self.images[index],
            None if self.labels is None else self.labels[index],
            names=[self.names[i] for i in index.tolist()],
            classes=self.classes,
            scan=self.scan,
        )

    def to(self, device: torch.device | str) -> Dataset:
        """The same data set with its tensors on `device`."""
        labels = None if self.labels is None else self.labels.to(device)
        return replace(self, images=self.images.to(device), labels=labels)


@dataclass(frozen=True)
class Splits:
    """Training and held-out images, which share no image. how: where the split comes from."""

    train: Dataset
    test: Dataset
    how: str


def load_dataset(source: str, *, image_size: int | None = None, channels: int | None = None) -> Dataset:
    """All of a source, exact duplicates dropped, without a split. Raises UserError as `load_splits`."""
    rows = usable(drop_duplicates(read_source(source, image_size=image_size, channels=channels)))
    return _dataset(rows, _classes(rows))


def load_splits(
    source: str,
    *,
    test: str | None = None,
    image_size: int | None = None,
    channels: int | None = None,
    limit: int | None = None,
    limit_seed: int = 0,
) -> Splits:
    """Read what `--data source` names, drop duplicates, and split it.

    test: a source whose official test part (else all of it) is held out instead. image_size: pixels;
    the shorter side is scaled to it and the centre cropped. channels: 1 grey, 2 grey and alpha, 3 RGB,
    4 RGBA; by default 1 where every image is grey, else 3. limit: keep so many training images, drawn
    by `limit_seed`. Raises UserError for what cannot be found, read or split.
    """
    rows = usable(drop_duplicates(read_source(source, image_size=image_size, channels=channels)))
    if test is None:
        train, held_out, how = split(rows)
    else:
        train, held_out, how = _split_by_test(rows, test, image_size)
    if limit is not None:
        train = subset(train, limit, limit_seed)
    classes = _classes(rows, held_out)  # of all rows, so that --limit does not renumber them
    return Splits(_dataset(train, classes), _dataset(held_out, classes), how)


def _split_by_test(rows: Rows, test: str, image_size: int | None) -> tuple[Rows, Rows, str]:
    official = rows.official_test
    train = rows if official is None or official.all() else rows.take(np.flatnonzero(~official))
    read = read_source(test, image_size=image_size, channels=train.images.shape[1], option="--test")
    held_out = usable(drop_duplicates(read), option="--test")
    if held_out.official_test is not None and held_out.official_test.any():
        held_out = held_out.take(np.flatnonzero(held_out.official_test))
    if held_out.images.shape[1:] != train.images.shape[1:]:
        ours, theirs = (" × ".join(map(str, r.images.shape[2:])) for r in (train, held_out))
        raise UserError(
            f"--test {test}: images of {theirs} pixels, but --data has {ours}; give --image-size for both"
        )
    train = without(train, held_out)
    if not len(train):
        raise UserError(f"--test {test}: it contains every image of --data; nothing is left to train on")
    return train, held_out, f"--test {test}"


def usable(rows: Rows, option: str = "--data") -> Rows:
    """The rows, or the UserError that says why they cannot be used."""
    if rows.problem:
        raise UserError(f"{option} {rows.scan.source}: {rows.problem}")
    return rows


def _classes(*parts: Rows) -> tuple[str, ...] | None:
    words = {word for part in parts for word in part.labels or ()}
    if not words:
        return None
    return tuple(sorted(words, key=_natural))


def _natural(word: str) -> tuple[int, int, str]:
    """Numbers by value and before words, so that class 10 follows class 9."""
    return (0, int(word), word) if word.isascii() and word.isdecimal() else (1, 0, word)


def _dataset(rows: Rows, classes: tuple[str, ...] | None) -> Dataset:
    labels = None
    if rows.labels is not None and classes is not None:
        place = {word: i for i, word in enumerate(classes)}
        labels = torch.tensor([place[word] for word in rows.labels], dtype=torch.int64)
    names = tuple(rows.names)
    mark = _rows.fingerprint(rows.images.shape[1:], rows.digests, rows.labels, classes)
    kept = classes if labels is not None else None
    return Dataset(torch.from_numpy(np.ascontiguousarray(rows.images)), labels, names, kept, rows.scan, mark)
