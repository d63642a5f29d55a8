"""Transforms of images, on batches of tensors on any device: differentiable, inverted where they can be.

A `Transform` is one fixed map T of an image, the same for each of a batch, as a view of DAG needs. Where T
only moves pixels to other places it is invertible, and T⁻¹(T(x)) = x to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from pushforward.errors import UserError, did_you_mean


@dataclass(frozen=True)
class Transform:
    """One map of images (b, c, h, w) to images of the same shape.

    inverse: None where information is lost. square: whether it needs images as wide as they are high.
    """

    name: str
    forward: Callable[[Tensor], Tensor]
    inverse: Callable[[Tensor], Tensor] | None = None
    square: bool = False

    def __call__(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """T(x)."""
        return self.forward(x)

    @property
    def invertible(self) -> bool:
        """Whether T⁻¹ exists."""
        return self.inverse is not None

    def check(self, shape: Sequence[int], option: str = "transform") -> None:
        """Raise UserError where it does not fit data of this shape. option: which one asked for it."""
        if len(shape) != 3:
            raise UserError(f"`{option}`: {self.name} is of images, and the data are points; leave it out")
        if self.square and shape[1] != shape[2]:
            raise UserError(
                f"`{option}`: {self.name} needs square images, and these are {shape[1]}x{shape[2]} (height x "
                "width); take flip, or train with `image_size`"
            )


def _turn(quarters: int) -> Transform:
    return Transform(
        f"turn {90 * quarters}°",
        lambda x: x.rot90(quarters, (2, 3)),
        lambda y: y.rot90(-quarters, (2, 3)),
        square=quarters % 2 == 1,
    )


def _flip(name: str, dims: tuple[int, ...]) -> Transform:
    return Transform(name, lambda x: x.flip(dims), lambda y: y.flip(dims))


def _turned_flip() -> Transform:
    """A mirror at the main diagonal."""
    return Transform("mirror and turn", lambda x: x.transpose(2, 3), lambda y: y.transpose(2, 3), square=True)


def _shift(down: float, right: float) -> Transform:
    """By shares of the sides; what comes in is black, as it was outside."""

    def moved(x: Tensor) -> Tensor:
        rows, columns = round(down * x.shape[2]), round(right * x.shape[3])
        pads = (max(columns, 0), max(-columns, 0), max(rows, 0), max(-rows, 0))
        wide = F.pad(x, pads, value=-1.0)
        top, left = max(-rows, 0), max(-columns, 0)
        return wide[:, :, top : top + x.shape[2], left : left + x.shape[3]]

    return Transform(f"shift {down:+g}, {right:+g}", moved)


def _crop(top: float, left: float, size: float = 0.75) -> Transform:
    """A window of this share of the sides, brought to the whole size."""

    def cut(x: Tensor) -> Tensor:
        h, w = x.shape[2:]
        rows, columns = round(size * h), round(size * w)
        y, z = round(top * (h - rows)), round(left * (w - columns))
        return F.interpolate(
            x[:, :, y : y + rows, z : z + columns], (h, w), mode="bilinear", align_corners=False
        )

    return Transform(f"crop {top:g}, {left:g}", cut)


LEFT_RIGHT, UP_DOWN, BOTH = (
    _flip("flip left-right", (3,)),
    _flip("flip up-down", (2,)),
    _flip("flip both", (2, 3)),
)
# What the critic sees beside the image itself, of each kind. Tran et al. 2020, section V.
KINDS: dict[str, tuple[Transform, ...]] = {
    "rotation": (_turn(1), _turn(2), _turn(3)),
    "flip": (LEFT_RIGHT, UP_DOWN, BOTH),
    "fliprot": (LEFT_RIGHT, _turn(1), _turned_flip()),
    "translation": (_shift(-0.25, 0), _shift(0.25, 0), _shift(0, -0.25), _shift(0, 0.25)),
    "crop": (_crop(0, 0), _crop(0, 1), _crop(1, 0), _crop(1, 1)),
}


def transforms_of(
    kinds: Sequence[str], shape: Sequence[int], *, option: str = "transform"
) -> list[Transform]:
    """Those of the kinds, each once. Raises UserError where one does not fit data of this shape.

    option: which one the kinds were given by, for the message.
    """
    found: dict[str, Transform] = {}
    for kind in kinds:
        if kind not in KINDS:
            raise UserError(f"`{option}`: '{kind}'{did_you_mean(kind, KINDS)}; known are {', '.join(KINDS)}")
        found |= {transform.name: transform for transform in KINDS[kind]}
    for transform in found.values():
        transform.check(shape, option)
    return list(found.values())
