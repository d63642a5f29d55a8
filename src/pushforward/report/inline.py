"""Pictures as PNGs inside the page."""

from __future__ import annotations

import base64
import io

from jaxtyping import Float
from PIL import Image
from torch import Tensor

from pushforward.pictures.tiles import grid

CELL = 56  # pixels: smaller images are enlarged by a whole factor, so that a browser need not smear them
MOST_CELL = 96  # pixels: larger ones are reduced, so that the page stays small


def tiles(images: Float[Tensor, "n c h w"], *, columns: int | None = None) -> str:
    """Float images in [-1, 1] as one picture with transparent gaps."""
    return data_uri(tiled(images, columns))


def data_uri(picture: Image.Image) -> str:
    """A picture as a PNG that needs no file."""
    content = io.BytesIO()
    picture.save(content, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"


def tiled(images: Tensor, columns: int | None) -> Image.Image:
    """Float images in [-1, 1], (n, c, h, w), as one picture whose cells can be seen."""
    side = min(images.shape[2:])
    pad, scale = max(1, side // 14), max(1, -(-CELL // side))
    return reduced(grid(images, columns=columns, pad=pad, clear=True, scale=scale), MOST_CELL / side)


def reduced(picture: Image.Image, factor: float) -> Image.Image:
    """A picture scaled by a factor below 1; larger ones change nothing."""
    if factor >= 1:
        return picture
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(size, Image.Resampling.LANCZOS)
