"""Decode many image files in parallel, and account for every one of them. Torch-free."""

from __future__ import annotations

import functools
import os
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from pushforward.data.decode import Decoded, Item, decode, formats
from pushforward.data.layout import layout_of
from pushforward.data.memory import require_memory
from pushforward.data.paths import parts_of
from pushforward.data.ranges import (
    ALL,
    USUAL,
    Ambiguous,
    Extent,
    Held,
    Meaning,
    PixelRange,
    agreed,
    meaning,
)
from pushforward.data.rows import (
    MAX_SIDE,
    NO_IMAGE,
    Pixels,
    Rows,
    Scan,
    Size,
    Skip,
    class_order,
    digests,
    size_problem,
)
from pushforward.text import printable

FIRST, BLOCK = 8, 256  # files handed to the threads at a time: so many wait in memory, or are decoded in vain
MAX_UNREADABLE = 0.05  # share of the images found


def scan(
    source: str,
    items: Sequence[Item],
    *,
    image_size: Size,
    channels: int | None,
    pixel_range: PixelRange | None = None,
) -> Rows:
    """Decode every item; what cannot be used is listed, and what is wrong with all is `problem`.

    What pixels mean is decided once for all, when all were seen. Where that is not the usual, they are read
    again.
    """
    formats()
    meanings = {held: meaning(held, ALL, pixel_range) for held in USUAL} if pixel_range else USUAL
    found = _decoded(source, items, image_size, channels, meanings)
    if pixel_range is None:
        try:
            chosen = found.meanings()
        except Ambiguous as error:
            return replace(found.rows(), problem=str(error))
        if any(chosen[held] != meanings[held] for held in chosen):
            found = _decoded(source, items, image_size, channels, {**USUAL, **chosen})
    return found.rows()


def _decoded(
    source: str,
    items: Sequence[Item],
    image_size: Size,
    channels: int | None,
    meanings: Mapping[Held, Meaning],
) -> _Found:
    found = _Found(source, len(items), image_size, channels, meanings)
    asked: dict[str, Any] = {"image_size": image_size, "channels": channels, "meanings": meanings}
    with warnings.catch_warnings(), ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        warnings.simplefilter("ignore")  # what Pillow has to say of odd metadata
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        for block in _blocks(items):
            # Where the sizes refuse the source already, they are all that is still to be told.
            read = functools.partial(decode, **asked, only_size=bool(found.size_problem()))
            for item, result in zip(block, pool.map(read, block), strict=True):
                found.add(item.name, result)
    return found


def _blocks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Few at first: they tell whether the sizes will do, and large ones fill the memory."""
    yield items[:FIRST]
    for start in range(FIRST, len(items), BLOCK):
        yield items[start : start + BLOCK]


@dataclass
class _Found:
    """Collects decoded images; once their sizes differ, only their keys."""

    source: str
    candidates: int
    image_size: Size
    channels: int | None
    used: Mapping[Held, Meaning]
    images: list[Pixels] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    skipped: list[Skip] = field(default_factory=list)
    converted: Counter[str] = field(default_factory=Counter)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    strangers: int = 0  # files that are no images and do not claim to be
    extents: dict[Held, dict[str, Extent]] = field(default_factory=dict)
    sharded: bool = False  # whether StyleGAN's list of labels is among them

    def add(self, name: str, result: Decoded | Skip | None) -> None:
        if result is None:
            self.strangers += 1
            self.sharded |= PurePosixPath(name).name == "dataset.json"
            self.skipped.append(Skip(printable(name), NO_IMAGE))
        elif isinstance(result, Skip):
            self.skipped.append(result)
        else:
            self._add(name, result)

    def _add(self, name: str, decoded: Decoded) -> None:
        if not self.names:
            height, width = decoded.pixels.shape[:2]
            colours = self.channels or (1 if decoded.pixels.ndim == 2 else 3)
            require_memory(self.candidates, height, width, colours)
        self.names.append(name)
        self._extend(name, decoded)
        self.sizes[decoded.size] += 1
        self.converted.update(decoded.converted)
        if self.image_size is None and (len(self.sizes) > 1 or max(decoded.size) > MAX_SIDE):
            self.images.clear()
        else:
            self.images.append(decoded.pixels)
        self.keys.append(decoded.key)

    def _extend(self, name: str, decoded: Decoded) -> None:
        """Of what may mean several things, each file's own; of bytes that of all."""
        known = self.extents.setdefault(decoded.held, {})
        if decoded.held in ("8-bit", "16-bit"):
            known[""] = known[""] | decoded.extent if known else decoded.extent
        else:
            known[printable(name)] = decoded.extent

    def meanings(self) -> dict[Held, Meaning]:
        """What the pixels mean, by how they are held, after all of them. Raises Ambiguous."""
        return {held: agreed(held, extents) for held, extents in self.extents.items()}

    def rows(self) -> Rows:
        images = self._stack()
        layout = layout_of(parts_of(self.names), sharded=self.sharded)
        labels = layout.labels
        found = self.candidates - self.strangers
        return Rows(
            images,
            digests(images) if len(images) else tuple(self.keys),
            tuple(self.keys),
            tuple(printable(name) for name in self.names),
            labels,
            class_order(labels) if labels else None,
            Scan(
                self.source,
                found,
                tuple(self.skipped),
                dict(sorted(self.converted.items())),
                doubts=tuple(self.used[held].doubt for held in self.extents if self.used[held].doubt),
            ),
            layout.test,
            self._problem(found) or layout.problem,
            split_how=layout.how,
        )

    def size_problem(self) -> str:
        """Why the sizes seen so far need an --image-size, or the empty string."""
        return size_problem(self.sizes) if self.image_size is None else ""

    def _stack(self) -> Pixels:
        if not self.images:
            return np.empty((0, self.channels or 1, 0, 0), np.uint8)
        grey = sum(image.ndim == 2 for image in self.images)
        count = self.channels or (1 if grey == len(self.images) else 3)
        if self.channels is None and count == 3 and grey:
            self.converted["grey to RGB"] += grey
        stacked = np.empty((len(self.images), count, *self.images[0].shape[:2]), np.uint8)
        for i, image in enumerate(self.images):
            stacked[i] = image if image.ndim == 2 else image.transpose(2, 0, 1)
        return stacked

    def _problem(self, found: int) -> str:
        if not found:
            return "no image found in it or its sub-folders; expected PNG, JPEG, GIF, TIFF, WebP or the like"
        bad = [skip for skip in self.skipped if skip.unreadable]
        if len(bad) > MAX_UNREADABLE * found:
            listed = ", ".join(f"{skip.path} ({skip.reason})" for skip in bad[:3])
            more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
            return (
                f"{len(bad)} of {found} images ({len(bad) / found:.0%}) cannot be read, more than "
                f"{MAX_UNREADABLE:.0%}: {listed}{more}; repair or remove them"
            )
        if not self.names:
            reasons = Counter(skip.reason for skip in self.skipped).most_common(1)[0][0]
            return (
                f"none of its {found} images can be used ({reasons}); give images of 8 pixels a side and more"
            )
        return self.size_problem()
