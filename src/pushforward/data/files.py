"""Folders and zips of image files: what is in them, and their decoding in parallel. Torch-free."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pushforward.data.decode import Decoded, decode
from pushforward.data.memory import require_memory
from pushforward.data.rows import MAX_SIDE, MAX_UNREADABLE, Pixels, Rows, Scan, Skip, digest, digests
from pushforward.errors import UserError

TRAIN, TEST = {"train", "training"}, {"test", "testing", "val", "valid", "validation"}
_IGNORED = {"__MACOSX", "Thumbs.db", "desktop.ini"}


@dataclass(frozen=True)
class Item:
    """A file that may be an image. name: its path in the source, with `/`. open: its path or content."""

    name: str
    open: Callable[[], bytes | Path]


def ignored(name: str) -> bool:
    """Whether a path is hidden or a file manager's own."""
    return any(part.startswith(".") or part in _IGNORED for part in PurePosixPath(name).parts)


def printable(name: str) -> str:
    """The name with bytes that are no text, and control characters, escaped."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def read_folder(source: str, *, image_size: int | None, channels: int | None) -> Rows:
    """Every image under a folder, sorted by path; its sub-folders are the labels."""
    root = Path(source)
    items = [Item(name, (root / name).absolute) for name in sorted(_walk(root)) if not ignored(name)]
    return read_items(source, items, image_size=image_size, channels=channels)


def _walk(root: Path) -> Iterable[str]:
    seen: set[str] = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:  # a link back up would never end
            folders.clear()
            continue
        seen.add(real)
        for name in names:
            path = Path(folder, name)
            if path.is_file():  # no pipe or socket, which would block
                yield path.relative_to(root).as_posix()


def read_items(source: str, items: Sequence[Item], *, image_size: int | None, channels: int | None) -> Rows:
    """Decode every item, in parallel, each one once; what cannot be used is listed in the scan."""

    def work(item: Item) -> Decoded | Skip | None:
        name = printable(item.name)
        try:
            content = item.open()
        except OSError as error:
            return Skip(name, f"cannot be read ({error.strerror or error})", unreadable=True)
        return decode(name, content, image_size=image_size, channels=channels)

    found = _Found(source, len(items), image_size, channels)
    with warnings.catch_warnings(), ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        warnings.simplefilter("ignore")  # what Pillow has to say of odd metadata
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        for item, result in zip(items, pool.map(work, items), strict=True):
            found.add(item.name, result)
    return found.rows()


@dataclass
class _Found:
    """Collects decoded images; once their sizes differ, only their digests."""

    source: str
    candidates: int
    image_size: int | None
    channels: int | None
    images: list[Pixels] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    skipped: list[Skip] = field(default_factory=list)
    converted: Counter[str] = field(default_factory=Counter)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    strangers: int = 0  # files that are no images and do not claim to be

    def add(self, name: str, result: Decoded | Skip | None) -> None:
        if result is None:
            self.strangers += 1
            self.skipped.append(Skip(printable(name), "not an image"))
        elif isinstance(result, Skip):
            self.skipped.append(result)
        else:
            self._add(name, result)

    def _add(self, name: str, decoded: Decoded) -> None:
        if not self.names:
            height, width = decoded.pixels.shape[:2]
            colours = self.channels or (1 if decoded.pixels.ndim == 2 else 3)
            require_memory(self.source, self.candidates, height, width, colours)
        self.names.append(name)
        self.sizes[decoded.size] += 1
        self.converted.update(decoded.converted)
        self.digests.append(digest(decoded.pixels))
        if self.image_size is None and len(self.sizes) > 1:
            self.images.clear()
        else:
            self.images.append(decoded.pixels)

    def rows(self) -> Rows:
        images, marks = self._stack(), tuple(self.digests)
        if len(images):
            marks = digests(images)
        parts = strip_common([PurePosixPath(name).parts for name in self.names])
        test, parts = official_test(parts)
        found = self.candidates - self.strangers
        scan = Scan(self.source, found, tuple(self.skipped), dict(sorted(self.converted.items())))
        names = tuple(printable(name) for name in self.names)
        labels = labels_of(parts)
        return Rows(images, marks, names, labels, scan, test, self.sizes, self._problem(found))

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
            return f"no image found; expected {', '.join(('PNG', 'JPEG', 'GIF', 'TIFF', 'WebP'))} or the like"
        bad = [skip for skip in self.skipped if skip.unreadable]
        if len(bad) > MAX_UNREADABLE * found:
            listed = ", ".join(f"{skip.path} ({skip.reason})" for skip in bad[:3])
            more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
            return (
                f"{len(bad)} of {found} images ({len(bad) / found:.0%}) cannot be read, more than "
                f"{MAX_UNREADABLE:.0%}: {listed}{more}; repair or remove them"
            )
        if not self.names:
            skip = self.skipped[0]
            return f"none of {found} images can be used: {skip.path}: {skip.reason}; give larger images"
        return size_problem(self.sizes) if self.image_size is None else ""


def size_problem(sizes: Counter[tuple[int, int]]) -> str:
    """Why images of these (width, height) need an --image-size, or the empty string."""
    listed = ", ".join(f"{w} × {h}: {n}" for (w, h), n in sizes.most_common(3))
    if len(sizes) > 1:
        more = ", …" if len(sizes) > 3 else ""
        return f"images of {len(sizes)} sizes ({listed}{more}); choose one for all, such as --image-size 64"
    if max(max(size) for size in sizes) > MAX_SIDE:
        return f"images larger than {MAX_SIDE} pixels ({listed}); choose a size, such as --image-size 64"
    return ""


Parts = Sequence[tuple[str, ...]]


def strip_common(paths: Parts) -> list[tuple[str, ...]]:
    """The paths without the folders that all of them lie in."""
    depth = 0
    for parts in zip(*(path[:-1] for path in paths), strict=False):
        if len(set(parts)) > 1:
            break
        depth += 1
    return [path[depth:] for path in paths]


def official_test(paths: Parts) -> tuple[NDArray[np.bool_] | None, list[tuple[str, ...]]]:
    """(which rows are held out, the paths below) where two folders, train and test, hold everything."""
    tops = {path[0].lower() for path in paths if len(path) > 1}
    if len(tops) == 2 and tops & TRAIN and tops & TEST and all(len(path) > 1 for path in paths):
        test = np.array([path[0].lower() in TEST for path in paths])
        return test, [path[1:] for path in paths]
    return None, list(paths)


def labels_of(paths: Parts) -> tuple[str, ...] | None:
    """The first folder of each path; None where an image lies outside or all share one folder."""
    if not paths or not all(len(path) > 1 for path in paths):
        return None
    labels = tuple(printable(path[0]) for path in paths)
    return labels if len(set(labels)) > 1 else None


def is_zip(source: str) -> bool:
    """Whether the source is a zip archive, by its content."""
    import zipfile

    return zipfile.is_zipfile(source)


def read_zip(source: str, *, image_size: int | None, channels: int | None) -> Rows:
    """As `read_folder`, from a zip of one, without unpacking it."""
    raise UserError("not yet")
