"""Folders and zips of image files. Torch-free."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable
from pathlib import Path

from pushforward.data.archives import refuse_hostile
from pushforward.data.decode import Item, Unused
from pushforward.data.paths import ignored
from pushforward.data.ranges import PixelRange
from pushforward.data.rows import BadSource, Rows
from pushforward.data.scan import scan

MAX_MEMBER_BYTES = 2**29


def read_folder(
    source: str, *, image_size: int | None, channels: int | None, pixel_range: PixelRange | None = None
) -> Rows:
    """Every image under a folder, sorted by path; its sub-folders are the labels."""
    root = Path(source)
    items = [Item(name, (root / name).absolute) for name in sorted(_walk(root))]
    return scan(source, items, image_size=image_size, channels=channels, pixel_range=pixel_range)


def _walk(root: Path) -> Iterable[str]:
    seen: set[str] = set()
    for folder, folders, names in os.walk(root, followlinks=True, onerror=_raise):
        real = os.path.realpath(folder)
        if real in seen:  # a link back up would never end
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not ignored(name))
        for name in names:
            path = Path(folder, name)
            # No pipe and no device, also behind a link, which would block; a link to nothing is told.
            if not ignored(name) and (path.is_file() or not path.exists()):
                yield path.relative_to(root).as_posix()


def _raise(error: OSError) -> None:
    raise error


def is_zip(source: str) -> bool:
    """Whether the source is a zip archive, by its content or its name."""
    path = Path(source)
    return path.is_file() and (path.suffix.lower() == ".zip" or zipfile.is_zipfile(path))


def read_zip(
    source: str, *, image_size: int | None, channels: int | None, pixel_range: PixelRange | None = None
) -> Rows:
    """As `read_folder`, from a zip of one, without unpacking it to disk."""
    try:
        with zipfile.ZipFile(source) as archive:
            members = refuse_hostile(archive, source)
            named = sorted((member.filename.replace("\\", "/"), i) for i, member in enumerate(members))
            items = [_item(archive, name, members[i]) for name, i in named if not ignored(name)]
            return scan(source, items, image_size=image_size, channels=channels, pixel_range=pixel_range)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise BadSource(f"not a readable zip archive ({error}); make it anew") from error


def _item(archive: zipfile.ZipFile, name: str, member: zipfile.ZipInfo) -> Item:
    def read() -> bytes:
        if member.file_size > MAX_MEMBER_BYTES:
            raise Unused(f"larger than {MAX_MEMBER_BYTES >> 20} MiB")
        return archive.read(member)

    return Item(name, read)
