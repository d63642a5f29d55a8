"""A frame of the animation of points in the plane: samples on top of the critic's landscape.

A frame is composed of indices into one palette, since a run draws dozens of them and each has a third of a
million pixels: the colours of every layer on every other are mixed once, in the palette.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from pushforward.pictures.points import DRAWN, REAL, SOFT, Scene

PLOT = 440  # pixels of each side
LEFT, TOP, RIGHT, BOTTOM = 46, 46, 14, 34  # pixels around it
SCORED = 49  # scores along each side
BANDS = 13  # of the landscape, one of them white
PAPER, INK = "#fdfcfa", "#1c1f22"
COLD, WARM = "#b9d3de", "#f2cfa4"  # tints of the samples' and the real points' colours
LAYERS = 6  # nothing, contour, two strengths of real points, two of samples
SHADES = 24  # of text on paper
REAL_SHOWN = 600


class Stage:
    """Draws frames of one scene in the plane, all alike but for samples, landscape and step."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        left, right, bottom, top = scene.limits
        x, y = torch.linspace(left, right, SCORED), torch.linspace(top, bottom, SCORED)
        rows, columns = torch.meshgrid(y, x, indexing="ij")
        self.grid = torch.stack([columns, rows], -1).flatten(0, 1)
        """Where the landscape is scored, (49², 2): rows from the top."""
        self._around = self._surroundings()
        self._real = np.zeros(PLOT * PLOT, np.uint8)
        _stamp(self._real, self._pixels(scene.real[:REAL_SHOWN]), (HALO, 2), (POINT, 3))

    def frame(
        self,
        points: Float[Tensor, "n 2"],
        scores: Float[Tensor, " g"],
        *,
        middle: float,
        step: int,
    ) -> Image.Image:
        """A picture with a palette.

        points: samples as the scene sees them. scores: of `grid`. middle: the score that is white, above
        which the landscape has the real points' hue and below that of the samples.
        """
        bands, reach = _banded(scores, middle)
        layer = np.where(_edges(bands), 1, 0).astype(np.uint8).ravel()
        np.maximum(layer, self._real, out=layer)
        _stamp(layer, self._pixels(points), (RIM, 4), (POINT, 5))
        whole = self._around.copy()
        whole[TOP : TOP + PLOT, LEFT : LEFT + PLOT] = layer.reshape(PLOT, PLOT) * BANDS + bands
        self._head(whole, step, reach, self.scene.outside(points), len(points))
        picture = Image.frombytes("P", (whole.shape[1], whole.shape[0]), whole.tobytes())
        picture.putpalette(_palette().tobytes())
        return picture

    def _pixels(self, points: Tensor) -> NDArray[np.int64]:
        left, right, bottom, top = self.scene.limits
        x = (points[:, 0] - left) / (right - left) * PLOT
        y = (top - points[:, 1]) / (top - bottom) * PLOT
        return torch.stack([x, y], 1).nan_to_num(-1e6).clamp(-1e6, 1e6).floor().long().numpy()

    def _surroundings(self) -> NDArray[np.uint8]:
        """Paper, frame, ticks and names of the axes, as indices."""
        size = (LEFT + PLOT + RIGHT, TOP + PLOT + BOTTOM)
        shade = Image.new("L", size, 0)  # 0 is paper, 255 ink
        draw = ImageDraw.Draw(shade)
        draw.rectangle((LEFT - 1, TOP - 1, LEFT + PLOT, TOP + PLOT), outline=90)
        left, right, bottom, top = self.scene.limits
        for value in _ticks(left, right):
            x = LEFT + (value - left) / (right - left) * PLOT
            draw.line((x, TOP + PLOT + 1, x, TOP + PLOT + 4), fill=120)
            draw.text((x, TOP + PLOT + 7), _label(value), fill=170, font=_font(10), anchor="mt")
        for value in _ticks(bottom, top):
            y = TOP + (top - value) / (top - bottom) * PLOT
            draw.line((LEFT - 5, y, LEFT - 2, y), fill=120)
            draw.text((LEFT - 8, y), _label(value), fill=170, font=_font(10), anchor="rm")
        return _shaded(shade)

    def _head(self, whole: NDArray[np.uint8], step: int, reach: float, outside: int, n: int) -> None:
        """The line above the plot: the step, what is outside, what the colours mean."""
        shade = Image.new("L", (whole.shape[1], TOP), 0)
        draw = ImageDraw.Draw(shade)
        right = LEFT + PLOT
        draw.text((LEFT, 22), f"step {step:,}", fill=255, font=_font(16), anchor="ls")
        if outside:
            told = f"{outside:,} of {n:,} samples outside"
            draw.text((LEFT, 38), told, fill=160, font=_font(11), anchor="ls")
        bar = right - 6 * BANDS - 22
        draw.text((bar - 8, 20), "critic", fill=160, font=_font(11), anchor="rs")
        draw.text((bar - 4, 38), f"-{reach:.2g}", fill=160, font=_font(10), anchor="ms")
        draw.text((right - 22, 38), f"+{reach:.2g}", fill=160, font=_font(10), anchor="ms")
        for x, word in ((LEFT + 150, "samples"), (LEFT + 215, "real")):
            draw.text((x, 20), word, fill=160, font=_font(11), anchor="ls")
        whole[:TOP] = _shaded(shade)
        for x, layer in ((LEFT + 140, 5), (LEFT + 205, 3)):
            whole[13:19, x : x + 6] = LAYERS * BANDS + SHADES + layer
        whole[11:21, bar : bar + 6 * BANDS] = np.repeat(np.arange(BANDS), 6)


def _shaded(shade: Image.Image) -> NDArray[np.uint8]:
    """Indices of ink of so much shade, 0 to 255, on paper."""
    levels = np.asarray(shade).astype(np.uint16) * (SHADES - 1) // 255
    return (LAYERS * BANDS + levels).astype(np.uint8)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)


def _ticks(low: float, high: float) -> list[float]:
    """Four to eight round numbers between two."""
    raw = (high - low) / 5
    power = 10.0 ** np.floor(np.log10(raw))
    step = min((m for m in (1, 2, 5, 10)), key=lambda m: abs(np.log(m * power / raw))) * power
    first = int(np.ceil(low / step))
    return [i * step for i in range(first, int(np.floor(high / step)) + 1)]


def _label(value: float) -> str:
    return f"{value:.3g}"


def _banded(scores: Tensor, middle: float) -> tuple[NDArray[np.uint8], float]:
    """The band of each pixel, and the score at which the outermost begin (above `middle`)."""
    centred = (scores.double() - middle).reshape(SCORED, SCORED)
    reach = max(torch.quantile(centred.abs().flatten(), 0.95).item(), 1e-12)
    image = Image.fromarray((centred / reach).float().numpy())  # mode F
    fine = np.asarray(image.resize((PLOT, PLOT), Image.Resampling.BICUBIC))
    return np.clip((fine + 1) * (BANDS / 2), 0, BANDS - 1).astype(np.uint8), reach


def _edges(bands: NDArray[np.uint8]) -> NDArray[np.bool_]:
    edge = np.zeros(bands.shape, bool)
    edge[:, 1:] |= bands[:, 1:] != bands[:, :-1]
    edge[1:] |= bands[1:] != bands[:-1]
    return edge


def _disc(radius: float) -> NDArray[np.int64]:
    reach = int(radius)
    steps = range(-reach, reach + 1)
    return np.array([(x, y) for x in steps for y in steps if x * x + y * y <= radius * radius])


POINT, RIM, HALO = _disc(1.5), _disc(2.3), _disc(6.3)


def _stamp(
    layer: NDArray[np.uint8], pixels: NDArray[np.int64], *discs: tuple[NDArray[np.int64], int]
) -> None:
    """Put discs at each pixel, the first kind first, so that no point is hidden by its neighbour's rim."""
    for disc, value in discs:
        spots = (pixels[:, None] + disc).reshape(-1, 2)
        inside = ((spots >= 0) & (spots < PLOT)).all(1)
        x, y = spots[inside].T
        layer[y * PLOT + x] = value


@cache
def _palette() -> NDArray[np.uint8]:
    """Layers on bands, then shades of ink on paper, then plain colours; (256, 3)."""
    colours = np.zeros((256, 3))
    t = np.linspace(-1, 1, BANDS)[:, None]
    paper, ink = _rgb(PAPER), _rgb(INK)
    bands = paper + np.maximum(t, 0) * (_rgb(WARM) - paper) + np.maximum(-t, 0) * (_rgb(COLD) - paper)
    layers = ((PAPER, 0.0), (SOFT, 0.18), (REAL, 0.25), (REAL, 0.8), (DRAWN, 0.35), (DRAWN, 0.95))
    for i, (colour, alpha) in enumerate(layers):
        colours[i * BANDS : (i + 1) * BANDS] = bands + alpha * (_rgb(colour) - bands)
    start = LAYERS * BANDS
    colours[start : start + SHADES] = paper + np.linspace(0, 1, SHADES)[:, None] * (ink - paper)
    for i, (colour, _) in enumerate(layers):
        colours[start + SHADES + i] = _rgb(colour)
    return colours.round().astype(np.uint8)


def _rgb(colour: str) -> NDArray[np.float64]:
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], float)
