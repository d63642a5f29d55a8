"""From what `--data` names to decoded rows: one reader for every kind of source. Torch-free."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pushforward.data import files, idx, named, npz
from pushforward.data.ranges import PixelRange, checked
from pushforward.data.rows import MAX_SIDE, MIN_SIDE, BadSource, Rows, Size, sides
from pushforward.errors import UserError, did_you_mean


class Read(Protocol):
    """Reads a source. image_size: pixels, or None for the images' own; channels: 1 to 4, or None.

    pixel_range: the numbers of black and white, or None to tell them by all pixels.
    """

    def __call__(
        self,
        source: str,
        *,
        image_size: Size,
        channels: int | None,
        pixel_range: PixelRange | None = None,
    ) -> Rows:
        """All rows of the source."""


@dataclass(frozen=True)
class Reader:
    """One kind of source: whether it is meant, and how it is read."""

    matches: Callable[[str], bool]
    read: Read


# The first that matches reads; a name of the table therefore wins over a folder of that name (./NAME).
READERS = (
    Reader(lambda source: source in named.NAMED, named.read),
    Reader(idx.is_idx_folder, idx.read_idx_folder),
    Reader(lambda source: Path(source).is_dir(), files.read_folder),
    Reader(npz.is_npz, npz.read_npz),
    Reader(idx.is_idx_zip, idx.read_idx_zip),
    Reader(files.is_zip, files.read_zip),
)


def read_source(
    source: str,
    *,
    image_size: Size = None,
    channels: int | None = None,
    pixel_range: Sequence[float] | None = None,
    option: str = "--data",
) -> Rows:
    """Decode everything that `source` names. option: what to call the argument in an error."""
    if image_size is not None and not all(MIN_SIDE <= side <= MAX_SIDE for side in sides(image_size)):
        raise UserError(f"--image-size {image_size}: expected {MIN_SIDE} to {MAX_SIDE} pixels")
    if channels is not None and channels not in (1, 2, 3, 4):
        raise UserError(
            f"--channels {channels}: expected 1 (grey), 2 (grey and alpha), 3 (RGB) or 4 (RGB and alpha)"
        )
    if not source:
        raise UserError(f"{option}: an empty name; give a folder, a file or a named set")
    try:
        limits = checked(pixel_range)
    except ValueError as error:
        raise UserError(str(error)) from error
    try:
        for reader in READERS:
            if reader.matches(source):
                return reader.read(source, image_size=image_size, channels=channels, pixel_range=limits)
    except BadSource as error:
        raise UserError(f"{option} {source}: {error}") from error
    except OSError as error:
        raise UserError(f"{option} {source}: cannot be read ({error.strerror or error})") from error
    raise UserError(f"{option} {source}: {_what_instead(source)}")


def _looked_in(source: str) -> str:
    """Where a relative path was looked for."""
    return "" if Path(source).is_absolute() else f" in {Path.cwd()}"


def _what_instead(source: str) -> str:
    if Path(source).exists():
        return (
            "is none of a folder of images, a zip of one, an .npz, or a folder of IDX files; "
            "give the folder that holds the images"
        )
    return (
        f"no such file or folder{_looked_in(source)}, nor a named set{did_you_mean(source, named.NAMED)}; "
        f"named sets: {', '.join(named.NAMED)}"
    )
