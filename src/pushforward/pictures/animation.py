"""Pictures of a folder as a moving one."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from pushforward.run_folder import pictures_in

MILLISECONDS = 150  # a frame is shown
LAST = 2500  # the last one
WIDEST = 560  # pixels


def frames_until(folder: Path, step: int) -> list[Path]:
    """Pictures step-NNNNNNN.png of a folder in order; those of later steps were undone, and are removed."""
    kept = []
    for path in pictures_in(folder):
        if int(path.stem.removeprefix("step-")) > step:
            path.unlink()
        else:
            kept.append(path)
    return kept


def animate(frames: Sequence[Path], out: Path, *, milliseconds: int = MILLISECONDS) -> None:
    """Write pictures of one size as a GIF that loops, in one step; wide ones are reduced."""
    pictures = []
    for path in frames:
        try:
            with Image.open(path) as file:
                file.load()
                pictures.append(file if file.mode == "P" else _fitted(file))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            warnings.warn(f"{path} is left out of the animation ({error})", stacklevel=2)
    if not pictures:
        return
    save_animation(pictures, out, [milliseconds] * (len(pictures) - 1) + [LAST])


def there_and_back(frames: Sequence[Image.Image], out: Path, *, milliseconds: int = MILLISECONDS) -> None:
    """Write pictures of one size, at least two, as a GIF that runs to the last and back; see `animate`."""
    pictures = [_fitted(_on_white(frame)) for frame in frames]
    save_animation(pictures + pictures[-2:0:-1], out, [milliseconds] * (2 * len(frames) - 2))


def save_animation(pictures: Sequence[Image.Image], out: Path, durations: Sequence[int]) -> None:
    """Write a GIF that loops, in one step. durations: of each picture, in milliseconds."""
    partial = out.with_name(f".partial-{out.name}")
    first, *rest = pictures
    first.save(
        partial,
        format="GIF",
        save_all=True,
        append_images=rest,
        duration=list(durations),
        loop=0,
        optimize=False,
    )
    partial.replace(out)


def _on_white(picture: Image.Image) -> Image.Image:
    """Without transparency, of which a GIF has no degrees."""
    if picture.mode not in ("LA", "RGBA"):
        return picture
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB")


def _fitted(picture: Image.Image) -> Image.Image:
    factor = WIDEST / picture.width
    if factor < 1:
        size = (WIDEST, max(1, round(picture.height * factor)))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    return picture.convert("P", palette=Image.Palette.ADAPTIVE) if picture.mode != "L" else picture
