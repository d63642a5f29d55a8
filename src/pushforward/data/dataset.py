"""A data set in memory as tensors, and its split into a training and a held-out part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from pushforward.data.modes import Modes
from pushforward.data.rows import Rows, Scan, Size, digests, fingerprint
from pushforward.data.splits import divide, read_unique, require_usable
from pushforward.streams import DATA, option_of


@dataclass(frozen=True)
class Dataset:
    """Images or points in memory.

    x: images, uint8, N C H W; or points, float32, N D, which are never scaled. labels: int64, N, indices into
    `classes`, or None. names: one a row, the file's path in the source or "row 17". fingerprint: SHA-256 over
    shape, classes, and every row's pixels and label in row order (names are left out); equal on every
    machine. modes: of points that come from a known mixture.
    """

    x: Tensor
    labels: Tensor | None
    names: tuple[str, ...]
    classes: tuple[str, ...] | None
    scan: Scan
    fingerprint: str
    modes: Modes | None = None

    def __len__(self) -> int:
        return len(self.x)

    @property
    def shape(self) -> tuple[int, ...]:
        """(channels, height, width) of images, (d,) of points."""
        return tuple(self.x.shape[1:])

    @classmethod
    def of(
        cls,
        x: Tensor,
        labels: Tensor | None = None,
        *,
        names: Sequence[str] | None = None,
        classes: Sequence[str] | None = None,
        scan: Scan | None = None,
        modes: Modes | None = None,
    ) -> Dataset:
        """A data set from tensors alone: uint8 images N C H W or float32 points N D, int64 labels N."""
        if labels is not None and classes is None:
            classes = [str(i) for i in range(int(labels.max()) + 1)]
        words = None if labels is None or classes is None else [classes[i] for i in labels.tolist()]
        marks = digests(x.cpu().numpy())
        return cls(
            x,
            labels,
            tuple(names or (f"row {i}" for i in range(len(x)))),
            None if classes is None else tuple(classes),
            scan or Scan("memory", len(x)),
            fingerprint(x.shape[1:], marks, words, classes),
            modes,
        )

    def subset(self, rows: Tensor | Sequence[int]) -> Dataset:
        """The given rows, in the given order, with a fingerprint of their own."""
        index = torch.as_tensor(rows, dtype=torch.int64, device=self.x.device)
        return Dataset.of(
            self.x[index],
            None if self.labels is None else self.labels[index],
            names=[self.names[i] for i in index.tolist()],
            classes=self.classes,
            scan=self.scan,
            modes=self.modes,
        )

    def to(self, device: torch.device | str) -> Dataset:
        """The same data set with its tensors on `device`."""
        labels = None if self.labels is None else self.labels.to(device)
        return replace(self, x=self.x.to(device), labels=labels)


@dataclass(frozen=True)
class Splits:
    """Training and held-out images or points, which share none. how: where the split comes from."""

    train: Dataset
    test: Dataset
    how: str


def load_dataset(
    source: str,
    *,
    image_size: Size = None,
    channels: int | None = None,
    pixel_range: Sequence[float] | None = None,
) -> Dataset:
    """All of a source, exact duplicates dropped, without a split. Arguments and errors: `load_splits`."""
    rows = read_unique(source, image_size=image_size, channels=channels, pixel_range=pixel_range)
    require_usable(rows)
    return _dataset(rows, rows.classes)


def load_splits(
    source: str,
    *,
    test: str | None = None,
    image_size: Size = None,
    channels: int | None = None,
    limit: int | None = None,
    limit_seed: int = 0,
    pixel_range: Sequence[float] | None = None,
    stream: str = DATA,
) -> Splits:
    """Read what `--data source` names, drop duplicates, and split it.

    test: a source whose official test part (else all of it) is held out instead. image_size: pixels;
    the shorter side is scaled to it and the centre cropped. channels: 1 grey, 2 grey and alpha, 3 RGB,
    4 RGBA; by default 1 where every image is grey, else 3. limit: keep so many training images, drawn
    by `limit_seed`. pixel_range: the numbers of black and white, where the pixels themselves do not tell.
    Points have neither size, channels nor range. stream: what the source is for, as an error names
    it. Raises UserError for what cannot be found, read or split.
    """
    asked: dict[str, Any] = {"image_size": image_size, "pixel_range": pixel_range}
    rows = read_unique(source, channels=channels, **asked, option=option_of("data", stream))
    parts = divide(rows, test=test, limit=limit, limit_seed=limit_seed, stream=stream, **asked)
    return Splits(_dataset(parts.train, parts.classes), _dataset(parts.test, parts.classes), parts.how)


def _dataset(rows: Rows, classes: tuple[str, ...] | None) -> Dataset:
    labels, kept = None, None
    if rows.labels is not None and classes is not None:
        place = {word: i for i, word in enumerate(classes)}
        labels = torch.tensor([place[word] for word in rows.labels], dtype=torch.int64)
        kept = classes
    mark = fingerprint(rows.shape, rows.digests, rows.labels, kept)
    return Dataset(torch.from_numpy(rows.images), labels, rows.names, kept, rows.scan, mark, rows.modes)


def split_validation(images: Dataset, share: float) -> tuple[Dataset, Dataset | None]:
    """Keep a share of the training images, or points, aside, the same ones each time.

    Fewer than ten would choose a checkpoint by chance: then none are kept.
    """
    n = round(len(images) * share)
    if n < 10:
        return images, None
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    return images.subset(order[n:].sort().values), images.subset(order[:n].sort().values)
