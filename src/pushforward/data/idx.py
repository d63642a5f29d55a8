"""IDX files, the format of MNIST, in a folder or a zip. Torch-free."""

from __future__ import annotations

import gzip
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np

from pushforward.data.archives import refuse_hostile
from pushforward.data.arrays import Arrays, to_rows
from pushforward.data.memory import available_bytes
from pushforward.data.ranges import BYTES, Extent, PixelRange, agreed
from pushforward.data.rows import BadSource, Pixels, Rows, Size, class_order

DIMENSIONS = (1, 2, 3, 4)  # of labels, which some files hold as a column, grey images, colour images
# MNIST's own names, with a prefix as EMNIST and QMNIST have it.
_IMAGES = re.compile(r"(?:(.+?)-)?(train|t10k|test)-images[-.]idx[34]-ubyte(\.gz)?", re.IGNORECASE)
_LABELS = re.compile(r"(?:(.+?)-)?(train|t10k|test)-labels[-.]idx[12]-(?:ubyte|int)(\.gz)?", re.IGNORECASE)

Open = Callable[[], AbstractContextManager[IO[bytes]]]
Files = dict[str, tuple[str, Open]]  # "train" or "test": its name, and how to open it


def is_idx_folder(source: str) -> bool:
    """Whether a folder holds IDX files of images under MNIST's names, or torchvision's folder of them."""
    return bool(_homes(Path(source)))


def read_idx_folder(
    source: str, *, image_size: Size, channels: int | None, pixel_range: PixelRange | None = None
) -> Rows:
    """`train-images-idx3-ubyte[.gz]` and its kind; an official split where `t10k-` is there as well."""
    homes = _homes(Path(source))
    if len(homes) > 1:
        listed = ", ".join(str(home.relative_to(source)) for home in homes)
        raise BadSource(f"it holds several sets: {listed}; name the folder of one")
    return _rows(source, load_idx_folder(homes[0]), image_size, channels, pixel_range)


def is_idx_zip(source: str) -> bool:
    """Whether a zip holds IDX files of images under MNIST's names."""
    if not Path(source).is_file() or not zipfile.is_zipfile(source):
        return False
    try:
        with zipfile.ZipFile(source) as archive:
            return any(_IMAGES.fullmatch(Path(name).name) for name in archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        return False


def read_idx_zip(
    source: str, *, image_size: Size, channels: int | None, pixel_range: PixelRange | None = None
) -> Rows:
    """As `read_idx_folder`, from a zip of one."""
    try:
        with zipfile.ZipFile(source) as archive:
            refuse_hostile(archive, source)
            named = [(Path(m.filename).name, _opener(archive, m)) for m in archive.infolist()]
            arrays = _load(_by_part(named, _IMAGES), _by_part(named, _LABELS))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise BadSource(f"not a readable zip archive ({error}); make it anew") from error
    return _rows(source, arrays, image_size, channels, pixel_range)


def _opener(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Open:
    return lambda: archive.open(member)


def load_idx_folder(folder: Path) -> Arrays:
    """The images of a folder of IDX files, the training part first. Raises BadSource for a broken one."""
    named = [(path.name, _plain(path)) for path in sorted(folder.iterdir()) if not path.is_dir()]
    return _load(_by_part(named, _IMAGES), _by_part(named, _LABELS))


def _plain(path: Path) -> Open:
    def open_it() -> IO[bytes]:
        if not path.is_file():  # a pipe would block
            raise BadSource(f"{path.name} is no plain file; copy its content there")
        return path.open("rb")

    return open_it


def _homes(folder: Path) -> list[Path]:
    """The folders that hold the files: this one, or else torchvision's MNIST/raw below it."""
    for candidates in ([folder], [folder / "raw"], sorted(folder.glob("*/raw"))):
        found = [home for home in candidates if home.is_dir() and _has_images(home)]
        if found:
            return found
    return []


def _has_images(folder: Path) -> bool:
    return any(_IMAGES.fullmatch(path.name) and path.is_file() for path in folder.iterdir())


def _rows(
    source: str, arrays: Arrays, image_size: Size, channels: int | None, pixel_range: PixelRange | None
) -> Rows:
    meaning = agreed("8-bit", {"": Extent.of(arrays.images)}, pixel_range) if arrays.images.size else BYTES
    if meaning.words:
        told = {meaning.words: len(arrays.images)}
        arrays = replace(arrays, images=meaning.to_bytes(arrays.images), converted=told)
    arrays = replace(arrays, doubts=(meaning.doubt,) if meaning.doubt else ())
    return to_rows(source, arrays, image_size=image_size, channels=channels)


def _load(images: Files, labels: Files) -> Arrays:
    order = sorted(images, key="train".__ne__)  # the training part first
    parts = [read_idx(*images[part]) for part in order]
    if any(part.ndim not in (3, 4) or part.shape[1:] != parts[0].shape[1:] for part in parts):
        shapes = ", ".join(f"{images[part][0]} {x.shape}" for part, x in zip(order, parts, strict=True))
        raise BadSource(f"expected images of one size, found {shapes}; mend the files")
    words: list[str] | None = None
    if all(part in labels for part in order):
        words = [str(v) for part in order for v in _numbers(read_idx(*labels[part]))]
        if len(words) != sum(map(len, parts)):
            total = sum(map(len, parts))
            raise BadSource(f"{len(words)} labels for {total} images; fetch the files anew")
    n = sum(map(len, parts))
    names = [f"{part} row {i}" for part, x in zip(order, parts, strict=True) for i in range(len(x))]
    held_out = np.arange(n) >= len(parts[0]) if len(parts) > 1 else None
    return Arrays(np.concatenate(parts), words, class_order(words or ()), held_out, names)


def _numbers(labels: Pixels) -> list[int]:
    numbers: list[int] = labels.reshape(-1).tolist()
    return numbers


def _by_part(named: Iterable[tuple[str, Open]], pattern: re.Pattern[str]) -> Files:
    """The file of each part; the plain one, where it is there packed too. Raises BadSource for two sets."""
    found: Files = {}
    sets = set()
    for name, opened in sorted(named, key=lambda entry: entry[0], reverse=True):
        match = pattern.fullmatch(name)
        if match:
            sets.add(match[1])
            found["train" if match[2].lower() == "train" else "test"] = name, opened
    if len(sets) > 1:
        listed = ", ".join(sorted(word or "one without a prefix" for word in sets))
        raise BadSource(f"it holds several sets: {listed}; keep the files of one in a folder of its own")
    return found


def read_idx(name: str, opened: Open) -> Pixels:
    """The array of one IDX file of bytes, gzipped or not. Raises BadSource for a broken one."""
    try:
        with opened() as raw, gzip.open(raw) if name.lower().endswith(".gz") else nullcontext(raw) as file:
            magic = file.read(4)
            if len(magic) < 4 or magic[:3] != b"\0\0\x08":
                raise BadSource(f"{name}: not an IDX file of bytes (it begins with {magic.hex()})")
            if magic[3] not in DIMENSIONS:
                raise BadSource(f"{name}: its header says {magic[3]} dimensions, expected 1 to 4")
            header = file.read(4 * magic[3])
            if len(header) < 4 * magic[3]:
                raise BadSource(f"{name}: its header is cut off; fetch the file anew")
            dims = struct.unpack(f">{magic[3]}I", header)
            size = math.prod(dims)
            if size > (available_bytes() or size):
                raise BadSource(f"{name}: its header promises {size:,} bytes, more than the free memory")
            content = file.read(size + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadSource(f"{name}: broken gzip ({error}); fetch the file anew") from error
    if len(content) != size:
        raise BadSource(
            f"{name}: its header promises {' × '.join(map(str, dims))} bytes, it holds "
            f"{'more' if len(content) > size else len(content)}; fetch the file anew"
        )
    return np.frombuffer(content, dtype=np.uint8).reshape(dims)
