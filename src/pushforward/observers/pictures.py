"""Sample grids as training goes on, from the same latent draws each time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from pushforward.core import Clock, Observation, Observer, Snapshot, to_uint8


def grid(images: Tensor, *, columns: int | None = None, pad: int = 2, scale: int = 1) -> Image.Image:
    """Tile float images in [-1, 1], (n, c, h, w), row by row on white. scale: whole pixel enlargement."""
    n, c, h, w = images.shape
    columns = columns or max(1, round(n**0.5))
    rows = -(-n // columns)
    canvas = torch.full((c, rows * (h + pad) + pad, columns * (w + pad) + pad), 255, dtype=torch.uint8)
    for i, image in enumerate(to_uint8(images.cpu())):
        top, left = pad + (i // columns) * (h + pad), pad + (i % columns) * (w + pad)
        canvas[:, top : top + h, left : left + w] = image
    picture = to_pil(canvas)
    return picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)


def to_pil(image: Tensor) -> Image.Image:
    """A uint8 image (c, h, w) with 1 to 4 channels; two are grey with alpha."""
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[image.shape[0]]
    array = image.permute(1, 2, 0).contiguous().numpy()
    return Image.fromarray(array[:, :, 0] if mode == "L" else array, mode)


class SamplePictures(Observer):
    """`samples/step-NNNNNNN.png` every so many steps: what the model draws from a fixed seed."""

    def __init__(self, *, every: int, n: int = 64) -> None:
        self.every = every
        self.n = n

    def due(self, clock: Clock) -> bool:
        """At step 0, every `every` steps, and at the end."""
        return self.every > 0 and (clock.step % self.every == 0 or clock.step == clock.steps)

    def observe(self, snapshot: Snapshot) -> Observation:
        """Write the picture."""
        model: Any = snapshot.algorithm
        torch.manual_seed(0)  # the loop puts the run's own random state back
        with torch.no_grad():
            images = model.sample(self.n)
        folder = snapshot.folder / "samples"
        folder.mkdir(exist_ok=True)
        save_picture(grid(images), folder / f"step-{snapshot.clock.step:07d}.png")
        return Observation()


def save_picture(picture: Image.Image, path: Path) -> None:
    """Write a PNG in one step, so that a kill leaves no half of it."""
    partial = path.with_name(f".partial-{path.name}")
    picture.save(partial, format="PNG")
    partial.replace(path)
