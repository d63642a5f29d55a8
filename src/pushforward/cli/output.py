"""Where a command's pictures go: one PNG, a folder of PNGs, or an array; written whole or not at all."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pushforward.errors import UserError
from pushforward.text import printable_lines

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image
    from torch import Tensor

Kind = Literal["grid", "array", "folder", "animation"]
KINDS: Mapping[str, Kind] = {".png": "grid", ".npz": "array", ".gif": "animation"}


def kind_of(out: str) -> Kind:
    """What --out names. Raises UserError for a file of another type, or a folder that is not empty."""
    path = Path(out)
    suffix = path.suffix.lower()
    if suffix in KINDS:
        return KINDS[suffix]
    if suffix and not out.endswith("/") and not path.is_dir():
        raise UserError(
            f"--out: {out}; expected a picture (X.png), an array (X.npz), a folder (X/) of pictures or "
            "a walk that moves (X.gif)"
        )
    if path.is_dir() and any(path.iterdir()):
        raise UserError(f"--out: the folder {out} is not empty; name one that does not exist yet")
    return "folder"


def require_png(out: str | None) -> None:
    """Raise UserError unless --out names a PNG."""
    if out is not None and Path(out).suffix.lower() != ".png":
        raise UserError(f"--out: {out}; expected a picture, such as {Path(out).with_suffix('.png').name}")


@contextmanager
def writing(path: Path, option: str = "--out") -> Iterator[None]:
    """Make the parent folders, and turn a failure to write into one line about the option."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"{option}: cannot write {path} ({reason}); choose another place") from error


def write_picture(picture: Image.Image, path: Path) -> None:
    """Write a PNG."""
    from pushforward.pictures.tiles import save_picture

    with writing(path):
        save_picture(picture, path)


def write_animation(frames: Sequence[Image.Image], path: Path) -> None:
    """Write a GIF that runs through the frames and back."""
    from pushforward.pictures.animation import there_and_back

    with writing(path):
        there_and_back(frames, path)


def write_array(parts: Iterable[Tensor], n: int, path: Path) -> None:
    """Write n images as `images`, uint8 N H W C, into a compressed .npz, part by part."""
    from pushforward.core import to_uint8

    _write_npz(path, "images", n, (to_uint8(part).permute(0, 2, 3, 1).numpy() for part in parts))


def write_points(parts: Iterable[Tensor], n: int, path: Path) -> None:
    """Write `points`, float32 N D, into a compressed .npz, part by part; --data reads it again."""
    _write_npz(path, "points", n, (part.float().numpy() for part in parts))


def _write_npz(path: Path, key: str, n: int, parts: Iterable[NDArray[Any]]) -> None:
    """One array of n rows, as numpy writes it, but without ever holding it."""
    from numpy.lib.format import dtype_to_descr, write_array_header_1_0

    from pushforward.files import whole

    with (
        writing(path),
        whole(path) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(f"{key}.npy", "w", force_zip64=True) as member,
    ):
        for i, part in enumerate(parts):
            if i == 0:
                shape = (n, *part.shape[1:])
                header = {"descr": dtype_to_descr(part.dtype), "fortran_order": False, "shape": shape}
                write_array_header_1_0(member, header)
            member.write(part.tobytes())


def write_folder(parts: Iterable[Tensor], n: int, path: Path, *, scale: int = 1) -> None:
    """Write n images as 00000.png, 00001.png ... into a new folder, which appears when all are there."""
    from pushforward.pictures.tiles import picture

    digits = max(5, len(str(n - 1)))
    with writing(path):
        partial = Path(tempfile.mkdtemp(prefix=f".partial-{path.name}-", dir=path.parent))
        try:
            for i, image in enumerate(image for part in parts for image in part):
                picture(image, scale=scale).save(partial / f"{i:0{digits}d}.png")
            partial.chmod(0o755)
            if path.is_dir():
                path.rmdir()  # it is empty
            partial.rename(path)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


def scale_for(side: int, asked: int | None) -> int:
    """The whole factor of enlargement: as asked, else what makes an image of this side large enough."""
    from pushforward.pictures.tiles import enlargement

    if asked is not None and asked < 1:
        raise UserError(f"--scale: {asked}; expected at least 1")
    return asked or enlargement(side)


MOST = {
    "--columns": 1000,
    "--scale": 64,
    "--steps": 1000,
    "--interpolate": 1000,
    "--n": 10**8,
}  # others: see `at_least`


def at_least(option: str, value: int | None, least: int = 1) -> None:
    """Raise UserError when a count is too small, or beyond all reason."""
    if value is not None and value < least:
        raise UserError(f"{option}: {value}; expected at least {least}")
    most = MOST.get(option, 10**6)
    if value is not None and value > most:
        raise UserError(f"{option}: {value}; expected at most {most:,}")


def check_seed(seed: int, option: str = "--seed") -> None:
    """Raise UserError for a seed that torch does not take."""
    if not 0 <= seed < 2**64:
        raise UserError(f"{option}: {seed}; expected a whole number from 0 to 2^64 - 1")


def require_room(n: int, shape: Sequence[int], *, option: str = "--n") -> None:
    """Raise UserError where so many rows would not fit into the memory, where they are put together."""
    from pushforward.data.memory import available_bytes

    need, have = 3 * 4 * n * math.prod(shape), available_bytes()
    if have is not None and need > have:
        raise UserError(
            f"{option}: {n:,} need about {need / 2**30:,.1f} GiB, {have / 2**30:.1f} GiB are free; draw "
            "fewer, or into an .npz or a folder, where any number fits"
        )


def announce(facts: Mapping[str, Any], *, as_json: bool, line: Callable[[], str]) -> None:
    """Print the result: the facts as JSON, or one line for people."""
    print(json.dumps(facts) if as_json else printable_lines(line()))
