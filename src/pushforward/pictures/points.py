"""Points drawn by a model in front of real ones: in the plane, or along the main axes of the real ones."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

BEHIND = 2500  # real points
FITTED = 1000  # real points that the main axes are found from
MARGIN = 0.18  # of the real points' extent, on each side
TAIL = 0.001  # of the real points, left out of that extent on each side
INCHES, DPI = 4.8, 120
BOX = (0.11, 0.09, 0.86, 0.86)  # left, bottom, width, height of the axes, as shares of the picture
REAL, DRAWN, SOFT, FAINT = "#d9822b", "#17607f", "#5f676e", "#e9e6e0"


@dataclass(frozen=True)
class Scene:
    """How points are looked at: the plane that they are seen in, and how much of it.

    centre (d) and axes (d, 2): a point x is seen at (x - centre) @ axes. names: of the two axes.
    limits: left, right, bottom, top. real: real points as they are seen, (n, 2), to stand behind. square:
    whether both axes have one scale.
    """

    centre: Float[Tensor, " d"]
    axes: Float[Tensor, "d 2"]
    names: tuple[str, str]
    limits: tuple[float, float, float, float]
    real: Float[Tensor, "n 2"]
    square: bool = True

    @classmethod
    def of(cls, points: Float[Tensor, "n d"], *, behind: bool = True) -> Scene:
        """A scene in which these real points fill the picture, the same at each call.

        Two numbers a point are shown as they are, one along a line, more along the first two principal axes.
        behind: whether they are shown too.
        """
        order = torch.randperm(len(points), generator=torch.Generator().manual_seed(0))
        points = points[order[: FITTED + BEHIND]].detach().cpu().double()
        d = points.shape[1]
        shown = points[:BEHIND]
        if d <= 2:
            centre, axes = torch.zeros(d).double(), torch.eye(d, 2).double()
            names = ("x₁", "x₂" if d == 2 else "")
        else:
            centre, axes = _main_axes(points[:FITTED])
            if len(points) >= 2 * FITTED:
                shown = points[FITTED:]  # along axes fitted to them they would look wider than any others
            share = ((shown - centre) @ axes).var(0) / shown.var(0).sum()
            names = (_component(1, float(share[0])), _component(2, float(share[1])))
        seen = (shown - centre) @ axes
        real = seen.float() if behind else seen.new_zeros(0, 2)
        return cls(centre, axes, names, _limits(seen, d == 2), real, d == 2)

    def see(self, points: Float[Tensor, "n d"]) -> Float[Tensor, "n 2"]:
        """Where points of the data's space lie in the picture."""
        return ((points.detach().cpu().double() - self.centre) @ self.axes).float()

    def outside(self, seen: Float[Tensor, "n 2"]) -> int:
        """How many of the points as seen lie beyond the picture's edges, or are not finite."""
        left, right, bottom, top = self.limits
        x, y = seen.T
        return int((~((x >= left) & (x <= right) & (y >= bottom) & (y <= top))).sum())


def _main_axes(points: Tensor) -> tuple[Tensor, Tensor]:
    centre = points.mean(0)
    axes = torch.linalg.svd(points - centre, full_matrices=False).Vh[:2].T
    largest = axes.abs().argmax(0)
    return centre, axes * axes.gather(0, largest[None]).sign()  # else their signs are the solver's whim


def _component(number: int, share: float) -> str:
    return f"principal axis {number} of the real points ({share:.0%} of variance)"


def _limits(seen: Tensor, square: bool) -> tuple[float, float, float, float]:
    """Around all but the outermost real points, with room for others."""
    low, high = (torch.quantile(seen, q, dim=0) for q in (TAIL, 1 - TAIL))
    half = (0.5 + MARGIN) * (high - low)
    if square:
        half = half.max().expand(2)
    half = torch.where(half > 0, half, 1.0)
    (left, bottom), (right, top) = ((low + high) / 2 - half).tolist(), ((low + high) / 2 + half).tolist()
    return left, right, bottom, top


def scatter(scene: Scene, points: Float[Tensor, "n d"], *, title: str = "") -> Image.Image:
    """A picture of points in front of the real ones; those outside of it are counted in words."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(INCHES, INCHES), dpi=DPI)
    canvas = FigureCanvasAgg(figure)
    draw(figure.add_axes(BOX), scene, points, title=title)
    content = io.BytesIO()
    canvas.print_png(content)
    return Image.open(content).convert("RGB")


def draw(axes: Any, scene: Scene, points: Float[Tensor, "n d"], *, title: str = "") -> None:
    """The same on matplotlib's axes."""
    seen = scene.see(points)
    axes.scatter(*scene.real.T.numpy(), s=40, c=REAL, alpha=0.06, linewidths=0)  # a halo, seen around a crowd
    axes.scatter(*scene.real.T.numpy(), s=4, c=REAL, alpha=0.4, linewidths=0)
    axes.scatter(*seen.T.numpy(), s=6, c=DRAWN, alpha=0.6, linewidths=0)
    left, right, bottom, top = scene.limits
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal" if scene.square else "auto")
    axes.set_xlabel(scene.names[0], color=SOFT, fontsize=8)
    axes.set_ylabel(scene.names[1], color=SOFT, fontsize=8)
    axes.tick_params(colors=SOFT, labelsize=8, length=2.5, width=0.6)
    axes.locator_params(nbins=6, steps=[1, 2, 5, 10])
    axes.set_axisbelow(True)
    axes.grid(color=FAINT, linewidth=0.6)
    for side, spine in axes.spines.items():
        spine.set(visible=side in ("left", "bottom"), color=SOFT, linewidth=0.6)
    beyond = scene.outside(seen)
    told = [title] if title else []
    if beyond:
        told.append(f"{beyond:,} of {len(seen):,} outside the picture")
    axes.set_title(" · ".join(told), color=SOFT, fontsize=8, loc="left")
    legend = {"size": 8, "va": "bottom", "ha": "right", "transform": axes.transAxes}
    if len(scene.real):
        axes.text(1, 1.012, "real", color=REAL, **legend)
    axes.text(0.93, 1.012, "model", color=DRAWN, **legend)


def without_axes(picture: Image.Image) -> Image.Image:
    """The inside of a picture that `scatter` made."""
    left, bottom, width, height = BOX
    w, h = picture.size
    top = 1 - bottom - height
    return picture.crop(
        (round(left * w) + 2, round(top * h) + 1, round((left + width) * w) - 1, round((1 - bottom) * h) - 2)
    )
