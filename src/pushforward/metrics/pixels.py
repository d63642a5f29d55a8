"""Distances between images, pixel by pixel, or points."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def mean_squared_error(x: Float[Tensor, "n c h w"], x_hat: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
    """Mean squared difference of each pair of images in [-1, 1], on the scale of intensities in [0, 1].

    0 for equal images, 1 between black and white. In double.
    """
    return (x.double() - x_hat.double()).div(2).square().flatten(1).mean(1)


def mean_squared_distance(x: Float[Tensor, "n d"], x_hat: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    """Mean squared difference of the numbers of each pair, in squared units of the data, in double."""
    return (x.double() - x_hat.double()).square().mean(1)
