"""What images show by themselves: how sharp they are, and how evenly a classifier's classes are met."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import conv2d

from pushforward.errors import UserError


def sharpness(images: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
    """The variance of the Laplacian of each image in [-1, 1], over pixels and channels, in double.

    J. L. Pech-Pacheco et al., *Diatom autofocusing in brightfield microscopy*, ICPR 2000. Blur lowers it and
    noise raises it, so it says something only beside that of real images. Raises UserError under 3 pixels a
    side.
    """
    n, c, h, w = images.shape
    if min(h, w) < 3:
        raise UserError(f"`images`: {h}x{w}; expected sides of at least 3 pixels")
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]], dtype=images.dtype).view(1, 1, 3, 3)
    edges = conv2d(images.reshape(n * c, 1, h, w), kernel)
    return edges.reshape(n, -1).double().var(1)


def class_entropy(labels: Int[Tensor, " n"], classes: int) -> float:
    """The entropy of how often each class is named, over ln(classes): 1 where all are equally frequent."""
    if classes < 2:
        raise UserError(f"`classes`: {classes}; expected at least 2")
    p = torch.bincount(labels, minlength=classes).double() / len(labels)
    return float(torch.special.entr(p).sum()) / math.log(classes)
