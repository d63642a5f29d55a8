"""One encoded image to bytes of pixels, with a word for every conversion on the way. Torch-free."""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from pushforward.data.ranges import ALL, BYTES, USUAL, Ambiguous, Extent, Held, Meaning
from pushforward.data.rows import MIN_SIDE, Pixels, Size, Skip, digest, sides
from pushforward.data.unread import raw, unread
from pushforward.text import printable

MAX_MEGAPIXELS = 64
MAX_TEXT = 2**25  # bytes of a PNG's text, or of its profile
# Not every format of Pillow: EPS runs a program, and TGA and PCX take almost any file for their own.
_WANTED = ("PNG", "JPEG", "GIF", "BMP", "DIB", "TIFF", "WEBP", "PPM", "AVIF", "JPEG2000", "ICO")
_TWINS = {"MPO": "JPEG", "DIB": "BMP"}  # formats that share their extension
ORIENTATION = 0x0112
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


class Unused(Exception):
    """Why an image is skipped. unreadable: whether it counts towards the 5 % limit."""

    def __init__(self, reason: str, *, unreadable: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.unreadable = reason, unreadable


@dataclass(frozen=True)
class Item:
    """A file that may be an image. name: its path in the source, with `/`. open: its path or content."""

    name: str
    open: Callable[[], bytes | Path]


@dataclass(frozen=True)
class Decoded:
    """pixels: uint8, H W (grey) or H W C. key: see `Rows`. size: (width, height) as in the file, upright.

    held, extent: how the file holds its pixels, and their least and greatest before they became bytes.
    """

    pixels: Pixels
    key: bytes
    size: tuple[int, int]
    converted: tuple[str, ...]
    held: Held = "8-bit"
    extent: Extent = ALL


def decode(
    item: Item,
    *,
    image_size: Size,
    channels: int | None,
    meanings: Mapping[Held, Meaning] = USUAL,
    only_size: bool = False,
) -> Decoded | Skip | None:
    """Decode one file fully; None for a file that neither is nor claims to be an image.

    channels: None keeps grey images grey and makes all others RGB. meanings: what pixels mean, by how they
    are held. only_size: read no pixels, of images that will not be used. To be called with
    `Image.DecompressionBombWarning` turned into an error.
    """
    name = printable(item.name)
    content: bytes | Path = b""
    if raw(item.name):
        return Skip(name, str(unread(item.name, b"")), unreadable=True)
    try:
        content = item.open()
        return _decode(item.name, content, image_size, channels, meanings, only_size)
    except Unused as unused:
        return Skip(name, unused.reason, unused.unreadable)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        return Skip(name, _too_large(error))
    except UnidentifiedImageError:
        start = _head(content)
        why = unread(item.name, start) or (promised_format(item.name) and _why_unidentified(start))
        return Skip(name, why, unreadable=True) if why else None
    except (FileNotFoundError, PermissionError) as error:  # a link to nothing is an image if it says so
        claims = promised_format(item.name) or unread(item.name, b"")
        return Skip(name, _one_line(error), unreadable=True) if claims else None
    except Exception as error:  # a decoder fed with hostile bytes may raise anything
        return Skip(name, _one_line(error), unreadable=True)


def promised_format(name: str) -> str | None:
    """The format that a file's extension promises ("PNG"), or None."""
    kind = _extensions().get(PurePosixPath(name).suffix.lower())
    return _TWINS.get(kind, kind) if kind else None


@functools.cache
def formats() -> tuple[str, ...]:
    """The formats that are read and this build of Pillow has. To be called before threads start."""
    Image.init()
    # Text and colour profiles of honest PNGs pass Pillow's own limit of 1 MiB; bombs of text grow further.
    PngImagePlugin.MAX_TEXT_CHUNK = MAX_TEXT
    PngImagePlugin.MAX_TEXT_MEMORY = 2 * MAX_TEXT
    return tuple(kind for kind in _WANTED if kind in Image.OPEN)


@functools.cache
def _extensions() -> dict[str, str]:
    known = {*formats(), *_TWINS}
    return {ext: kind for ext, kind in Image.registered_extensions().items() if kind in known}


def _why_unidentified(start: bytes) -> str:
    if not start:
        return "empty file"
    try:
        start.decode("utf-8")
    except UnicodeDecodeError:
        return "not an image that can be decoded"
    return "text, not an image"


def _head(content: bytes | Path) -> bytes:
    if isinstance(content, bytes):
        return content[:512]
    with content.open("rb") as file:
        return file.read(512)


def _too_large(error: Exception) -> str:
    pixels = re.search(r"(\d+) pixels", str(error))  # all that Pillow says of the size
    return f"{int(pixels[1]) / 1e6:.0f} megapixels, more than {MAX_MEGAPIXELS}" if pixels else "too large"


def _one_line(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)  # strerror: without this machine's path
    text = printable(" ".join(text.split())) or type(error).__name__
    if "truncated" in text.lower():
        return "truncated"
    if not isinstance(error, OSError | ValueError | SyntaxError):  # then the text alone may say little
        text = f"{type(error).__name__}: {text}"
    return text if len(text) <= 120 else text[:117] + "..."


def _decode(
    name: str,
    content: bytes | Path,
    image_size: Size,
    channels: int | None,
    meanings: Mapping[Held, Meaning],
    only_size: bool = False,
) -> Decoded:
    if isinstance(content, Path) and not content.stat().st_size:
        raise UnidentifiedImageError
    # Never by its path: Pillow would map a plain TIFF into memory, and forget to turn it.
    opened = io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")
    with opened as source, Image.open(source, formats=formats()) as file:
        width, height = file.size
        if width * height > MAX_MEGAPIXELS * 1e6:
            raise Unused(f"{width * height / 1e6:.0f} megapixels, more than {MAX_MEGAPIXELS}")
        if min(width, height) < MIN_SIDE:
            raise Unused(f"{width} × {height}: a side under {MIN_SIDE} pixels")
        if only_size:
            return Decoded(np.empty((0, 0), np.uint8), b"", file.size, ())
        converted = [*_oddities(name, file)]
        clear = file.info.get("transparency")
        if "16-bit scaled" in converted and isinstance(clear, tuple):  # Pillow reads the high bytes alone
            file.info["transparency"] = tuple(value >> 8 for value in clear)
        file.load()
        image: Image.Image = file
        if image.getexif().get(ORIENTATION, 1) != 1:
            converted.append("EXIF orientation")
            image = ImageOps.exif_transpose(image)
        size = image.size
        held, extent = _held(image)
        image = _to_8_bit(image, meanings[held], converted)
        key = digest(np.asarray(_to_mode(image, None, [])))
        image = _to_mode(image, channels, converted)
    if image_size is not None and image.size[::-1] != sides(image_size):
        image = fit(image, sides(image_size))
        converted.append("resized")
    return Decoded(np.array(image, dtype=np.uint8), key, size, tuple(converted), held, extent)


def _oddities(name: str, file: Image.Image) -> list[str]:
    found = []
    kind = _TWINS.get(file.format or "", file.format)
    if PurePosixPath(name).suffix and promised_format(name) != kind:
        found.append("wrong extension")
    if kind != "JPEG" and getattr(file, "is_animated", False):
        found.append("several pages: first page" if kind == "TIFF" else "animated: first frame")
    tile = getattr(file, "tile", None)
    if kind == "TIFF" and file.getexif().get(ORIENTATION, 1) != 1:  # Pillow turns it as it loads
        found.append("EXIF orientation")
    if not file.mode.startswith("I") and tile and ";16" in str(tile[0].args):
        found.append("16-bit scaled")
    return found


def _held(image: Image.Image) -> tuple[Held, Extent]:
    """How its pixels are held, and their extent; alpha, palettes and other colour spaces do not count."""
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image)
        held: Held = "floating point" if image.mode == "F" else "integers" if image.mode == "I" else "16-bit"
        try:
            return held, Extent.of(values)
        except Ambiguous as error:
            raise Unused(f"{held} {error}", unreadable=True) from error
    if image.mode not in ("L", "LA", "RGB", "RGBA"):
        return "8-bit", ALL
    bands: list[Any] = [band.getextrema() for band in image.split()]
    seen = [band for band, name in zip(bands, image.getbands(), strict=True) if name != "A"]
    return "8-bit", Extent(min(low for low, _ in seen), max(high for _, high in seen), whole=True)


def _to_8_bit(image: Image.Image, meaning: Meaning, converted: list[str]) -> Image.Image:
    """Bytes of what the pixels mean; Pillow's own conversion would clip them."""
    if image.mode == "1":
        converted.append("1-bit")
        return image.convert("L")
    if image.mode.startswith(("I", "F")):
        converted.append(meaning.words)
        values = np.asarray(image)
        grey = Image.fromarray(meaning.to_bytes(values))
        clear = image.info.get("transparency")
        if isinstance(clear, int):  # a PNG of 16 bits has one grey that is transparent
            grey.putalpha(Image.fromarray(np.where(values == clear, np.uint8(0), np.uint8(255))))
        return grey
    if meaning == BYTES or image.mode not in ("L", "LA", "RGB", "RGBA") or not meaning.words:
        return image
    converted.append(meaning.words)
    table = meaning.to_bytes(np.arange(256)).tolist()
    kept = [list(range(256)) if name == "A" else table for name in image.mode]
    return image.point([value for band in kept for value in band])


def _to_mode(image: Image.Image, channels: int | None, converted: list[str]) -> Image.Image:
    """L or RGB where channels is None, else the mode of so many channels."""
    alpha = image.has_transparency_data
    if image.mode in ("P", "PA"):
        converted.append("palette")
        grey = _grey_palette(image)
        image = image.convert("RGBA" if alpha else "RGB")
    else:
        grey = image.mode in ("L", "LA", "La")
        if image.mode not in ("L", "LA", "La", "RGB", "RGBA", "RGBa", "RGBX"):
            converted.append(image.mode)
        if alpha:
            image = image.convert("RGBA")
    wanted = MODES[channels] if channels else ("L" if grey else "RGB")
    if alpha and "A" not in wanted:
        converted.append("alpha composited on white")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image).convert("RGB")
    if not grey and wanted in ("L", "LA"):
        converted.append("colour to grey")
    if grey and wanted in ("RGB", "RGBA"):
        converted.append("grey to RGB")
    return image if image.mode == wanted else image.convert(wanted)


def _grey_palette(image: Image.Image) -> bool:
    colours = np.array(image.getpalette("RGB") or [0, 0, 0]).reshape(-1, 3)
    used = colours[[i for i in np.unique(np.asarray(image.getchannel(0))) if i < len(colours)]]
    return bool((used == used[:, :1]).all())


def fit(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Scale it (Lanczos, antialiased) until it just covers (height, width) pixels, and crop the centre."""
    return ImageOps.fit(image, size[::-1], Image.Resampling.LANCZOS)
