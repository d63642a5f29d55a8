"""What maps images to the vectors on which distances between sets of images are taken."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from pushforward.errors import UserError

CPU = torch.device("cpu")
AT_ONCE = 64  # images; more is no faster on a CPU
READING = 1  # raise it where images are brought in otherwise than before: cached features are then made anew


@dataclass(frozen=True, kw_only=True)
class FeatureExtractor:
    """A fixed map from images to vectors. A number that was measured on it carries its name.

    name: with the size that it takes, such as "efficientnet-lite0@96". family: the name without the size:
    what a model has seen whose critic or loss used it, at any size. size: pixels a side that images are
    brought to, by bicubic interpolation that averages where it shrinks; None for their own. colours: 3, or
    None for the images' own. dimensions: of a vector. weights: their SHA-256, or the empty string where
    there are none. function: float32 images in [-1, 1] to vectors. device: where it computes.
    """

    name: str
    family: str
    size: int | None
    colours: int | None
    dimensions: int
    weights: str
    function: Callable[[Float[Tensor, "b c h w"]], Float[Tensor, "b d"]]
    device: torch.device = CPU

    @property
    def fingerprint(self) -> str:
        """Equal fingerprints give equal vectors of equal images, but for rounding."""
        told = f"{READING} {self.name} {self.size} {self.colours} {self.dimensions} {self.weights}"
        return hashlib.sha256(told.encode()).hexdigest()

    def __call__(self, images: UInt8[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """The vector of each image, float32, on the CPU.

        Raises UserError for what is not uint8, has no row, or not 1 to 4 channels.
        """
        if images.ndim != 4 or images.dtype != torch.uint8 or not len(images) or images.shape[1] > 4:
            raise UserError(
                f"`images`: {images.dtype}, {tuple(images.shape)}; expected uint8 images (n, channels, "
                "height, width), at least one, of 1 to 4 channels"
            )
        with torch.inference_mode():
            parts = [
                self.function(brought_in(part.to(self.device), self.size, self.colours)).float().cpu()
                for part in images.split(AT_ONCE)
            ]
        return torch.cat(parts).clone()  # out of inference mode: whoever gets it may compute on


def brought_in(
    images: UInt8[Tensor, "n c h w"], size: int | None, colours: int | None
) -> Float[Tensor, "n k i j"]:
    """Images in [-1, 1], of the size and the colours asked for. What is transparent becomes white."""
    x = images.float().div_(255)
    if x.shape[1] in (2, 4):
        x = 1 - x[:, -1:] * (1 - x[:, :-1])
    if colours == 3 and x.shape[1] == 1:
        x = x.expand(-1, 3, -1, -1)
    if size is not None and tuple(x.shape[2:]) != (size, size):
        x = F.interpolate(x, (size, size), mode="bicubic", antialias=True).clamp(0, 1)
    return x.mul(2).sub_(1)
