"""IDX files, the format of MNIST. Torch-free."""

from __future__ import annotations

import gzip
import math
import re
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from pushforward.data.arrays import Arrays, to_rows
from pushforward.data.memory import available_bytes
from pushforward.data.ranges import BYTES, Extent, PixelRange, agreed
from pushforward.data.rows import BadSource, Pixels, Rows, class_order

_IMAGES = re.compile(r"(train|t10k|test)-images[-.]idx[34]-ubyte(\.gz)?")
_LABELS = re.compile(r"(train|t10k|test)-labels[-.]idx1-ubyte(\.gz)?")


def is_idx_folder(source: str) -> bool:
    """Whether a folder holds IDX files of images under MNIST's names."""
    folder = Path(source)
    return folder.is_dir() and any(_IMAGES.fullmatch(path.name) for path in folder.iterdir())


def read_idx_folder(
    source: str, *, image_size: int | None, channels: int | None, pixel_range: PixelRange | None = None
) -> Rows:
    """`train-images-idx3-ubyte[.gz]` and its kind; an official split where `t10k-` is there as well."""
    arrays = load_idx_folder(Path(source))
    meaning = agreed("8-bit", {"": Extent.of(arrays.images)}, pixel_range) if arrays.images.size else BYTES
    if meaning.words:
        told = {meaning.words: len(arrays.images)}
        arrays = replace(arrays, images=meaning.to_bytes(arrays.images), converted=told)
    arrays = replace(arrays, doubts=(meaning.doubt,) if meaning.doubt else ())
    return to_rows(source, arrays, image_size=image_size, channels=channels)


def load_idx_folder(folder: Path) -> Arrays:
    """The images of a folder of IDX files, the training part first. Raises BadSource for a broken one."""
    images = _by_part(folder, _IMAGES)
    labels = _by_part(folder, _LABELS)
    order = sorted(images, key="train".__ne__)  # the training part first
    parts = [read_idx(images[part]) for part in order]
    if any(part.ndim not in (3, 4) or part.shape[1:] != parts[0].shape[1:] for part in parts):
        shapes = ", ".join(f"{images[part].name} {x.shape}" for part, x in zip(order, parts, strict=True))
        raise BadSource(f"expected images of one size, found {shapes}; mend the files")
    words: list[str] | None = None
    if all(part in labels for part in order):
        words = [str(v) for part in order for v in read_idx(labels[part]).reshape(-1).tolist()]
        if len(words) != sum(map(len, parts)):
            total = sum(map(len, parts))
            raise BadSource(f"{len(words)} labels for {total} images; fetch the files anew")
    n = sum(map(len, parts))
    names = [f"{part} row {i}" for part, x in zip(order, parts, strict=True) for i in range(len(x))]
    held_out = np.arange(n) >= len(parts[0]) if len(parts) > 1 else None
    return Arrays(np.concatenate(parts), words, class_order(words or ()), held_out, names)


def _by_part(folder: Path, pattern: re.Pattern[str]) -> dict[str, Path]:
    """{"train" or "test": its file}; where a file is there packed and plain, the plain one."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir(), reverse=True):
        match = pattern.fullmatch(path.name)
        if match:
            found["train" if match[1] == "train" else "test"] = path
    return found


def read_idx(path: Path) -> Pixels:
    """The array of one IDX file of bytes, gzipped or not. Raises BadSource for a broken one."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            magic = file.read(4)
            if len(magic) < 4 or magic[:3] != b"\0\0\x08":
                raise BadSource(f"{path.name}: not an IDX file of bytes (it begins with {magic.hex()})")
            header = file.read(4 * magic[3])
            if len(header) < 4 * magic[3]:
                raise BadSource(f"{path.name}: its header is cut off; fetch the file anew")
            dims = struct.unpack(f">{magic[3]}I", header)
            size = math.prod(dims)
            if size > (available_bytes() or size):
                raise BadSource(f"{path.name}: its header promises {size:,} bytes, more than the free memory")
            content = file.read(size + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadSource(f"{path.name}: broken gzip ({error}); fetch the file anew") from error
    if len(content) != size:
        raise BadSource(
            f"{path.name}: its header promises {' × '.join(map(str, dims))} bytes, it holds "
            f"{'more' if len(content) > size else len(content)}; fetch the file anew"
        )
    return np.frombuffer(content, dtype=np.uint8).reshape(dims)
