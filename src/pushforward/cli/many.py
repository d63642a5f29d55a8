"""Pictures in, pictures out: which files a command is to change, and where each result goes."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pushforward.cli.output import writing
from pushforward.errors import UserError

if TYPE_CHECKING:
    from PIL import Image

FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {}),
    ".tif": ("TIFF", {}),
    ".tiff": ("TIFF", {}),
    ".bmp": ("BMP", {}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".webp": ("WEBP", {"quality": 95}),
}
WITH_ALPHA = (".png", ".tif", ".tiff")


@dataclass(frozen=True)
class Job:
    """One file to read, its name inside what was given, and the file to write.

    named: whether it was given by its own name, so that it has to be a picture.
    """

    source: Path
    name: str
    out: Path
    named: bool = False


def jobs(given: Sequence[str], out: str, *, alpha: bool = False, overwrite: bool = False) -> list[Job]:
    """What is to be done for a picture, a folder or a glob, or several. Raises UserError before any of it.

    Of a single picture `out` is a file, or a folder where it is one, ends in "/" or has no extension; of all
    else a folder, in which names and sub-folders are kept. A name whose format cannot be written, or not with
    alpha where that is wanted, gets .png behind it.
    """
    for name, words in (("IN", given), ("OUT", [out])):
        if "" in words:
            raise UserError(f"{name}: empty; expected a path, or . for the folder that you are in")
    formats = WITH_ALPHA if alpha else tuple(FORMATS)
    single = len(given) == 1 and Path(given[0]).is_file()
    named = out.rstrip("/") == out and not Path(out).is_dir() and bool(Path(out).suffix)
    if single and named:
        if Path(out).suffix.lower() not in formats:
            raise UserError(f"OUT: {out}; expected a picture, of {', '.join(formats)}, or a folder")
        found = [Job(Path(given[0]), Path(given[0]).name, Path(out), named=True)]
    else:
        if Path(out).exists() and not Path(out).is_dir():
            raise UserError(f"OUT: {out} is a file; expected a folder for several pictures")
        pictures = [picture for word in given for picture in _pictures(word, Path(out))]
        files = {Path(word) for word in given}
        found = [Job(p, name, Path(out, _written(name, formats)), p in files) for p, name in pictures]
    _refuse_clashes(found)
    _refuse_existing(found, overwrite=overwrite)
    return found


def _written(name: str, formats: Iterable[str]) -> str:
    return name if Path(name).suffix.lower() in formats else f"{name}.png"


def _pictures(word: str, out: Path) -> list[tuple[Path, str]]:
    """The files that a word of the command line means, with their names below what it says."""
    from pushforward.data.files import walk
    from pushforward.data.paths import ignored

    path = Path(word)
    if path.is_dir():
        inside = out.resolve()
        found = [(path / name, name) for name in sorted(walk(path, set()))]
        # What an earlier call wrote is not to be changed again.
        found = [
            (p, name) for p, name in found if inside not in p.resolve().parents or inside == path.resolve()
        ]
        return _some(found, f"IN: the folder {word} holds no file")
    if path.exists() and not path.is_file():
        raise UserError(f"IN: {word} is neither a file nor a folder; give a picture, a folder, or a pattern")
    if path.exists():
        return [(path, path.name)]
    if not glob.has_magic(word):
        raise UserError(f"IN: there is no file or folder {word}; give a picture, a folder, or a pattern")
    parts = Path(word).parts
    fixed = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    root = Path(*parts[:fixed])
    files = sorted(match for match in root.glob("/".join(parts[fixed:])) if match.is_file())
    named = [(match, match.relative_to(root).as_posix()) for match in files]
    return _some([(p, name) for p, name in named if not ignored(name)], f"IN: no file matches {word}")


def _some(found: list[tuple[Path, str]], otherwise: str) -> list[tuple[Path, str]]:
    if not found:
        raise UserError(f"{otherwise}; give a picture, a folder, or a pattern")
    return found


def _refuse_clashes(found: Sequence[Job]) -> None:
    """Raise UserError where two would be written to one file, or one over a picture that is read."""
    sources = {job.source.resolve() for job in found}
    taken: dict[Path, Job] = {}
    for job in found:
        place = job.out.resolve()
        if place in sources:
            raise UserError(f"OUT: {job.out} is a picture that is to be read; name another place")
        if place in taken:
            raise UserError(
                f"IN: {taken[place].source} and {job.source} would both become {job.out}; "
                "give one of them, or the folder that holds both"
            )
        taken[place] = job


def _refuse_existing(found: Sequence[Job], *, overwrite: bool) -> None:
    there = [job.out for job in found if job.out.exists()]
    if there and not overwrite:
        more = f" and {len(there) - 1} more exist" if len(there) > 1 else " exists"
        raise UserError(
            f"OUT: {there[0]}{more} already; add `overwrite` to replace what is there, or name another place"
        )
    folder = next((path for path in there if path.is_dir()), None)
    if folder is not None:
        raise UserError(f"OUT: {folder} is a folder, where a picture is to be written; name another place")


def write(picture: Image.Image, path: Path) -> None:
    """Write a picture in the format of its name, whole or not at all; JPEG and WebP at quality 95."""
    from pushforward.files import whole

    kind, options = FORMATS[path.suffix.lower()]
    with writing(path, "OUT"), whole(path) as file:
        picture.save(file, format=kind, **options)
