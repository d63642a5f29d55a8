"""What no archive of images holds: paths that lead out of it, links, bombs. Torch-free."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath

from pushforward.data.rows import BadSource
from pushforward.text import printable

MAX_MEMBERS = 2_000_000
# Images hardly shrink in a zip; even blank BMPs in bulk stay below this, and a bomb reaches 1,000 : 1.
MAX_RATIO, RATIO_FREE_BYTES = 100, 2**24


def refuse_hostile(archive: zipfile.ZipFile, source: str) -> list[zipfile.ZipInfo]:
    """The files of a zip. Raises BadSource for what is no plain archive of files."""
    members = [member for member in archive.infolist() if not member.is_dir()]
    _check_members(Path(source).stat().st_size, members)
    return members


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
