"""Sample grids as training goes on, from the same latent draws each time."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from pushforward.core import to_uint8

LABEL_SIZE = 13  # pixels
SMALLEST_CELL = 56  # pixels: images below it are enlarged by a whole factor, so that they can be seen


def enlargement(side: int) -> int:
    """The whole factor that makes an image of this side large enough to be seen."""
    return max(1, -(-SMALLEST_CELL // side))


def grid(
    images: Tensor, *, columns: int | None = None, pad: int = 2, scale: int = 1, clear: bool = False
) -> Image.Image:
    """Tile float images in [-1, 1], (n, c, h, w), row by row on white.

    scale: whole pixel enlargement. clear: transparent gaps instead of white ones, and no border.
    """
    images = to_uint8(images.cpu())
    if clear and images.shape[1] in (1, 3):
        images = torch.cat([images, torch.full_like(images[:, :1], 255)], 1)
    n, c, h, w = images.shape
    columns = columns or max(1, round(n**0.5))
    lines = -(-n // columns)
    gap, edge = (0, 0) if clear else (255, pad)
    size = (lines * (h + pad) - pad + 2 * edge, columns * (w + pad) - pad + 2 * edge)
    canvas = torch.full((c, *size), gap, dtype=torch.uint8)
    for i, image in enumerate(images):
        top, left = edge + (i // columns) * (h + pad), edge + (i % columns) * (w + pad)
        canvas[:, top : top + h, left : left + w] = image
    tiled = to_pil(canvas)
    return tiled.resize((tiled.width * scale, tiled.height * scale), Image.Resampling.NEAREST)


def picture(image: Tensor, *, scale: int = 1) -> Image.Image:
    """One float image (c, h, w) in [-1, 1]. scale: whole pixel enlargement."""
    plain = to_pil(to_uint8(image.cpu()))
    return plain.resize((plain.width * scale, plain.height * scale), Image.Resampling.NEAREST)


def pairs(x: Tensor, x_hat: Tensor, *, columns: int = 8, scale: int = 1, gap: int = 8) -> Image.Image:
    """Each image of x above its counterpart in x_hat, `columns` pairs a row, with a gap between rows.

    x, x_hat: float in [-1, 1], (n, c, h, w). scale: whole pixel enlargement, gap: pixels.
    """
    columns = min(columns, len(x))
    bands = [
        grid(torch.cat([top, below]), columns=len(top), scale=scale)
        for top, below in zip(x.split(columns), x_hat.split(columns), strict=True)
    ]
    height = sum(band.height for band in bands) + gap * (len(bands) - 1)
    canvas = Image.new(bands[0].mode, (bands[0].width, height), _white(bands[0].mode))
    top_edge = 0
    for band in bands:
        canvas.paste(band, (0, top_edge))
        top_edge += band.height + gap
    return canvas


def rows(images: Tensor, labels: Sequence[str], heads: Sequence[str], *, scale: int = 1) -> Image.Image:
    """Rows of images with a label on the left of each and a head above each column.

    images: float in [-1, 1], (m, s, c, h, w), with m labels and s heads. scale: whole pixel enlargement.
    """
    m, s = images.shape[:2]
    body = grid(images.flatten(0, 1), columns=s, scale=scale).convert("RGB")
    font = ImageFont.load_default(size=LABEL_SIZE)
    left = round(max(font.getlength(label) for label in labels)) + 2 * LABEL_SIZE
    top = 2 * LABEL_SIZE
    canvas = Image.new("RGB", (left + body.width, top + body.height), "white")
    canvas.paste(body, (left, top))
    draw = ImageDraw.Draw(canvas)
    for i, label in enumerate(labels):
        middle = top + (i + 0.5) * body.height / m
        draw.text((left - LABEL_SIZE, middle), label, fill="black", font=font, anchor="rm")
    for i, head in enumerate(heads):
        draw.text((left + (i + 0.5) * body.width / s, top / 2), head, fill="#555555", font=font, anchor="mm")
    return canvas


def _white(mode: str) -> int | tuple[int, ...]:
    return 255 if mode == "L" else (255,) * len(mode)


def to_pil(image: Tensor) -> Image.Image:
    """A uint8 image (c, h, w) with 1 to 4 channels; two are grey with alpha."""
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[image.shape[0]]
    array = image.permute(1, 2, 0).contiguous().numpy()
    return Image.fromarray(array[:, :, 0] if mode == "L" else array, mode)


def save_picture(picture: Image.Image, path: Path) -> None:
    """Write a PNG in one step, so that a kill leaves no half of it."""
    partial = path.with_name(f".partial-{path.name}")
    picture.save(partial, format="PNG")
    partial.replace(path)


def as_png(picture: Image.Image) -> bytes:
    """The content of its PNG."""
    content = io.BytesIO()
    picture.save(content, format="PNG")
    return content.getvalue()
