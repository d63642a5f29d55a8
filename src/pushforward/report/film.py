"""Sample pictures of a training, side by side."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image

from pushforward.core import to_float
from pushforward.pictures.points import without_axes
from pushforward.report.inline import data_uri, reduced, tiled
from pushforward.run_folder import RunFolder, pictures_in

FRAMES = 8
FILM_SIDE = 4  # images a side of one frame, out of the 8 of a samples/step-*.png
FRAME_SIDE, POINTS_SIDE = 400, 330  # pixels, of a picture that is no grid of images, or is of points


@dataclass(frozen=True)
class Frame:
    """Samples at one step."""

    step: int
    uri: str


def film(folder: Path, size: tuple[int, ...] | None, *, but: int | None = None) -> list[Frame]:
    """Sample pictures of the training, at most FRAMES, evenly spread; but the last one if of step `but`."""
    paths = pictures_in(RunFolder(folder).samples)
    if len(paths) > 1 and _step(paths[-1]) - _step(paths[-2]) < 0.2 * (_step(paths[1]) - _step(paths[0])):
        del paths[-2]  # taken just before the end
    if paths and _step(paths[-1]) == but:
        del paths[-1]
    if len(paths) > FRAMES:
        paths = [paths[round(i * (len(paths) - 1) / (FRAMES - 1))] for i in range(FRAMES)]
    frames = []
    for path in paths:
        try:
            with Image.open(path) as file:
                frames.append(Frame(_step(path), data_uri(_corner(file, size))))
        except (OSError, ValueError, SyntaxError, RuntimeError, Image.DecompressionBombError):
            continue
    return frames


def _corner(picture: Image.Image, size: tuple[int, ...] | None) -> Image.Image:
    """The first FILM_SIDE x FILM_SIDE images of a grid of 8 x 8; any other picture as a whole."""
    columns, pad = 8, 2
    if size is not None and len(size) == 1:
        frame = reduced(without_axes(picture), POINTS_SIDE / max(picture.size))
        return frame.quantize(64)  # a quarter of the bytes, and no eye sees it
    if size is None or picture.size != tuple(columns * (side + pad) + pad for side in (size[2], size[1])):
        return reduced(picture, FRAME_SIDE / max(picture.size))
    _, h, w = size
    array = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
    whole = array.view(picture.height, picture.width, -1).permute(2, 0, 1)
    boxes = [(pad + i * (h + pad), pad + j * (w + pad)) for i in range(FILM_SIDE) for j in range(FILM_SIDE)]
    images = torch.stack([whole[:, top : top + h, left : left + w] for top, left in boxes])
    return tiled(to_float(images), FILM_SIDE)


def _step(path: Path) -> int:
    digits = re.sub(r"\D", "", path.stem)
    return int(digits) if digits else 0
