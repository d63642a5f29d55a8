"""Features that need no network: pixels averaged down, and their principal components."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from pushforward.errors import UserError

SIDE = 16  # pixels: detail below is not what tells one kind of image from another


def pooled_pixels(x: Float[Tensor, "n *x"]) -> Float[Tensor, "n f"]:
    """Points as they are; images (n, c, h, w) averaged down to at most 16 x 16 and flattened."""
    if x.ndim == 4:
        x = adaptive_avg_pool2d(x.float(), (min(SIDE, x.shape[2]), min(SIDE, x.shape[3])))
    return x.flatten(1).float()


def pixel_components(
    images: Float[Tensor, "n c h w"], *, components: int = 50
) -> Callable[[Float[Tensor, "m c h w"]], Float[Tensor, "m d"]]:
    """A map from images to their scores on the principal components of the given ones: pixel PCA features.

    Linear and in the unit of a pixel: what a distance on them sees is pose, thickness and blur, not
    whether an image is well formed. Raises UserError where the images do not span so many.
    """
    flat = images.flatten(1).double()
    if not 1 <= components <= min(len(flat) - 1, flat.shape[1]):
        raise UserError(
            f"components: {components}; expected from 1 to {min(len(flat) - 1, flat.shape[1])}, "
            f"what {len(flat)} images of {flat.shape[1]} values span"
        )
    mean = flat.mean(0)
    axes = torch.linalg.eigh(torch.cov(flat.T)).eigenvectors[:, -components:]
    return lambda x: (x.flatten(1).double() - mean) @ axes
