"""Folders and zips of image files. Torch-free."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath

from pushforward.data.archives import refuse_hostile
from pushforward.data.decode import Item, Unused
from pushforward.data.paths import ignored
from pushforward.data.ranges import PixelRange
from pushforward.data.rows import BadSource, Rows, Size
from pushforward.data.scan import scan
from pushforward.text import printable

MAX_MEMBER_BYTES = 2**29


def read_folder(
    source: str, *, image_size: Size, channels: int | None, pixel_range: PixelRange | None = None
) -> Rows:
    """Every image under a folder, sorted by path; its sub-folders are the labels."""
    root = Path(source)
    folders: set[str] = set()
    names = sorted(walk(root, folders))
    items = [Item(name, (root / name).absolute) for name in names]
    rows = scan(source, items, image_size=image_size, channels=channels, pixel_range=pixel_range)
    return _told_of_empty(rows, folders, names)


def _told_of_empty(rows: Rows, folders: set[str], names: Iterable[str]) -> Rows:
    """With a doubt about folders without a file: a class that is not filled yet would be missed."""
    filled = {str(parent) for name in names for parent in PurePosixPath(name).parents}
    empty = sorted(f for f in folders - filled if str(PurePosixPath(f).parent) in filled)
    if not empty:
        return rows
    listed = ", ".join(f"`{printable(name)}`" for name in empty[:3]) + (", …" if len(empty) > 3 else "")
    many = "s are" if len(empty) > 1 else " is"
    doubt = f"{len(empty)} folder{many} empty and no class: {listed}"
    return replace(rows, scan=replace(rows.scan, doubts=(*rows.scan.doubts, doubt)))


def walk(root: Path, found: set[str]) -> Iterable[str]:
    """The files below a folder, but hidden ones, in any order. found: filled with the folders below it."""
    seen: set[str] = set()
    for folder, folders, names in os.walk(root, followlinks=True, onerror=_raise):
        real = os.path.realpath(folder)
        if real in seen:  # a link back up would never end
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not ignored(name))
        if Path(folder) != root:
            found.add(Path(folder).relative_to(root).as_posix())
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
    source: str, *, image_size: Size, channels: int | None, pixel_range: PixelRange | None = None
) -> Rows:
    """As `read_folder`, from a zip of one, without unpacking it to disk."""
    try:
        with zipfile.ZipFile(source) as archive:
            members = refuse_hostile(archive, source)
            infos = archive.infolist()
            folders = {m.filename.replace("\\", "/").rstrip("/") for m in infos if m.is_dir()}
            named = sorted((member.filename.replace("\\", "/"), i) for i, member in enumerate(members))
            items = [_item(archive, name, members[i]) for name, i in named if not ignored(name)]
            rows = scan(source, items, image_size=image_size, channels=channels, pixel_range=pixel_range)
            visible = {folder for folder in folders if not ignored(folder)}
            return _told_of_empty(rows, visible, [item.name for item in items])
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise BadSource(f"not a readable zip archive ({error}); make it anew") from error


def _item(archive: zipfile.ZipFile, name: str, member: zipfile.ZipInfo) -> Item:
    def read() -> bytes:
        if member.file_size > MAX_MEMBER_BYTES:
            raise Unused(f"larger than {MAX_MEMBER_BYTES >> 20} MiB")
        return archive.read(member)

    return Item(name, read)
