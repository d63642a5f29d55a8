"""Folders and zips of image files. Torch-free."""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

from pushforward.data.decode import Item, Unused
from pushforward.data.paths import ignored
from pushforward.data.ranges import PixelRange
from pushforward.data.rows import BadSource, Rows
from pushforward.data.scan import scan
from pushforward.text import printable

MAX_MEMBERS = 2_000_000
MAX_MEMBER_BYTES = 2**29
# Images hardly shrink in a zip; even blank BMPs in bulk stay below this, and a bomb reaches 1,000 : 1.
MAX_RATIO, RATIO_FREE_BYTES = 100, 2**24


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
            if not ignored(name) and (path.is_symlink() or path.is_file()):  # no pipe, which would block
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
            members = [member for member in archive.infolist() if not member.is_dir()]
            _check_members(Path(source).stat().st_size, members)
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


def _check_members(packed: int, members: list[zipfile.ZipInfo]) -> None:
    """Refuse what no archive of images holds: paths that lead out of it, links, bombs."""

    def refuse(what: str) -> BadSource:
        return BadSource(f"{what}; refused, make a zip of plain image files")

    if len(members) > MAX_MEMBERS:
        raise refuse(f"{len(members):,} members, more than {MAX_MEMBERS:,}")
    for member in members:
        name, shown = member.filename, printable(member.filename)
        if ".." in PurePosixPath(name.replace("\\", "/")).parts:
            raise refuse(f"the member '{shown}' leads out of the archive")
        if name.startswith(("/", "\\")) or PureWindowsPath(name).drive:
            raise refuse(f"the member '{shown}' has an absolute name")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise refuse(f"the member '{shown}' is a symbolic link")
        if member.flag_bits & 1:
            raise refuse(f"the member '{shown}' is encrypted")
    unpacked = sum(member.file_size for member in members)
    if unpacked > MAX_RATIO * packed + RATIO_FREE_BYTES:
        raise refuse(f"{packed:,} bytes unpack to {unpacked:,}, over {MAX_RATIO} : 1, as zip bombs do")
