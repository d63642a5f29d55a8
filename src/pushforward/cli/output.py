"""Where a command's pictures go: one PNG, a folder of PNGs, or an array; written whole or not at all."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pushforward.errors import UserError
from pushforward.text import printable_lines

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

Kind = Literal["grid", "array", "folder"]
SMALLEST_CELL = 56  # pixels: images below it are enlarged by a whole factor, so that they can be seen


def kind_of(out: str) -> Kind:
    """What --out names. Raises UserError for a file of another type, or a folder that is not empty."""
    path = Path(out)
    suffix = path.suffix.lower()
    if suffix == ".png":
        return "grid"
    if suffix == ".npz":
        return "array"
    if suffix and not out.endswith("/") and not path.is_dir():
        raise UserError(
            f"--out: {out}; expected a picture (X.png), an array (X.npz) or a folder (X/) of pictures"
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


def write_array(images: Tensor, path: Path) -> None:
    """Write `images`, uint8 N H W C, as a compressed .npz."""
    from pushforward.core import to_uint8

    _write_npz(path, images=to_uint8(images).permute(0, 2, 3, 1).numpy())


def write_points(points: Tensor, path: Path) -> None:
    """Write `points`, float32 N D, as a compressed .npz, which --data reads again."""
    _write_npz(path, points=points.float().numpy())


def _write_npz(path: Path, **arrays: Any) -> None:
    import io

    import numpy as np

    from pushforward.files import write_durably

    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    with writing(path):
        write_durably(path, content.getvalue())


def write_folder(images: Tensor, path: Path, *, scale: int = 1) -> None:
    """Write 00000.png, 00001.png ... into a new folder, which appears when all are there."""
    from pushforward.pictures.tiles import picture

    digits = max(5, len(str(len(images) - 1)))
    with writing(path):
        partial = Path(tempfile.mkdtemp(prefix=f".partial-{path.name}-", dir=path.parent))
        try:
            for i, image in enumerate(images):
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
    if asked is not None and asked < 1:
        raise UserError(f"--scale: {asked}; expected at least 1")
    return asked or max(1, -(-SMALLEST_CELL // side))


MOST = {"--columns": 1000, "--scale": 64, "--steps": 1000, "--n": 10**8}  # others: see `at_least`


def at_least(option: str, value: int | None, least: int = 1) -> None:
    """Raise UserError when a count is too small, or beyond all reason."""
    if value is not None and value < least:
        raise UserError(f"{option}: {value}; expected at least {least}")
    most = MOST.get(option, 10**6)
    if value is not None and value > most:
        raise UserError(f"{option}: {value}; expected at most {most:,}")


def check_seed(seed: int) -> None:
    """Raise UserError for a seed that torch does not take."""
    if not 0 <= seed < 2**64:
        raise UserError(f"--seed: {seed}; expected a whole number from 0 to 2^64 - 1")


def require_room(n: int, shape: Sequence[int], *, option: str = "--n") -> None:
    """Raise UserError where so many rows would not fit into the memory, where they are put together."""
    from pushforward.data.memory import available_bytes

    need, have = 3 * 4 * n * math.prod(shape), available_bytes()
    if have is not None and need > have:
        raise UserError(
            f"{option}: {n:,} need about {need / 2**30:,.1f} GiB, {have / 2**30:.1f} GiB are free; draw "
            "fewer at a time, with another --seed each"
        )


def announce(facts: Mapping[str, Any], *, as_json: bool, line: Callable[[], str]) -> None:
    """Print the result: the facts as JSON, or one line for people."""
    print(json.dumps(facts) if as_json else printable_lines(line()))
