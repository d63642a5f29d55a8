"""How the files of the named sets are read: one function a set. Torch-free."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from pushforward.data.arrays import Arrays
from pushforward.data.idx import load_idx_folder

DIGITS = tuple("0123456789")
_UPPER = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat")
FASHION = (*_UPPER, "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
STYLES = ("google", "twitter")
SHEETS = ("floor", "wall")
TILE = 32  # pixels a side


def pixels_then_label(side: int, largest: int) -> Callable[[Path], Arrays]:
    """A gzipped CSV of a row an image: the pixels from 0 to `largest`, then the label."""

    def load(path: Path) -> Arrays:
        text = gzip.decompress(path.read_bytes()).replace(b"\n", b",").decode("ascii")
        table = np.fromstring(text, sep=",").reshape(-1, side * side + 1)
        pixels = np.rint(table[:, :-1] * (255 / largest)).astype(np.uint8)
        return Arrays(pixels.reshape(-1, side, side), [str(int(v)) for v in table[:, -1]], DIGITS)

    return load


def fashion(folder: Path) -> Arrays:
    """IDX files, with names for the classes."""
    arrays = load_idx_folder(folder)
    labels = [FASHION[int(word)] for word in arrays.labels or ()]
    return Arrays(arrays.images, labels, FASHION, arrays.test, arrays.names)


def json_digits(folder: Path) -> Arrays:
    """A file a digit, with the pixels of its images as fractions rounded to three places."""
    parts = [np.array(json.loads((folder / f"{digit}.json").read_bytes())["data"]) for digit in DIGITS]
    pixels = np.rint(np.concatenate(parts) * 255).astype(np.uint8).reshape(-1, 28, 28)
    labels = [digit for digit, part in zip(DIGITS, parts, strict=True) for _ in range(len(part) // 784)]
    return Arrays(pixels, labels, DIGITS)


def faces(folder: Path) -> Arrays:
    """`s7/3.pgm` is the third picture of person 7."""
    paths = sorted(folder.glob("s*/*.pgm"), key=lambda path: (int(path.parent.name[1:]), int(path.stem)))
    pixels = np.stack([np.asarray(Image.open(path)) for path in paths])
    people = [path.parent.name for path in paths]
    names = [path.relative_to(folder).as_posix() for path in paths]
    return Arrays(pixels, people, tuple(dict.fromkeys(people)), None, names)


def emoji(folder: Path) -> Arrays:
    """`google/1f600.png` and `twitter/1f600.png` are one emoji in two styles; RGBA, labelled by category."""
    entries = sorted(json.loads((folder / "emoji.json").read_bytes()), key=lambda entry: entry["sort_order"])
    files = [(style, entry["image"]) for style in STYLES for entry in entries]
    pixels = np.stack([_rgba(folder / "img" / style / "64" / name) for style, name in files])
    categories = [entry["category"] for entry in entries]
    names = [f"{style}/{name}" for style, name in files]
    return Arrays(pixels, categories * len(STYLES), tuple(sorted(set(categories))), None, names)


def crawl_tiles(folder: Path) -> Arrays:
    """The opaque tiles of the sheets of ground and walls; `wall/96,64` lies at row 96, column 64."""
    tiles, names = [], []
    for sheet in SHEETS:
        pixels = _rgba(folder / f"{sheet}.png")
        opaque = pixels[..., 3] == 255
        for top in range(0, len(pixels) - TILE + 1, TILE):
            for left in _tiles_in(opaque[top : top + TILE].all(0)):
                tiles.append(pixels[top : top + TILE, left : left + TILE, :3])
                names.append(f"{sheet}/{top},{left}")
    return Arrays(np.stack(tiles), None, None, None, names)


def _tiles_in(opaque: Bool[np.ndarray, " w"]) -> Iterator[int]:
    """Where opaque tiles begin in a row of a sheet, given which of its columns are opaque.

    A row begins with a tile, and tiles touch. Those with clear edges are stored without them, so that what
    comes after them is off the grid. It begins where a stretch of opaque columns does, if whole tiles fill
    that; otherwise a tile before it or after it is opaque in part, and the grid goes on.
    """
    x, end = 0, len(opaque)
    while x + TILE <= end:
        if opaque[x : x + TILE].all():
            yield x
            x += TILE
            continue
        start = x + int(np.argmin(opaque[x:]))
        start += int(np.argmax(opaque[start:]))  # of the next stretch, or where there is none still a gap
        length = int(np.argmin(np.append(opaque[start:], False)))
        x = start if length and length % TILE == 0 else x + TILE


def _rgba(path: Path) -> UInt8[np.ndarray, "h w 4"]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGBA"))
