"""DiffAugment: the same random, differentiable changes of real and generated images.

S. Zhao, Z. Liu, J. Lin, J.-Y. Zhu and S. Han, *Differentiable Augmentation for Data-Efficient GAN Training*,
NeurIPS 2020, section 3.2, with the strengths of their code: brightness by up to ½ of a range of 1,
saturation by a factor of up to 2, contrast by a factor from ½ to 3/2, a shift of up to an eighth of each
side, and a hole of half of each side.

Deviations from the paper:
1. Grey images have no saturation; alpha keeps its values under changes of colour.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from pushforward.core import Clock
from pushforward.errors import UserError, did_you_mean
from pushforward.views.transforms import KINDS, Transform
from pushforward.views.view import View

SHIFT, HOLE = 1 / 8, 1 / 2  # of each side


class DiffAugment(View):
    """Images in [-1, 1], each changed by draws of its own. policy: names of `POLICIES`, in their order."""

    def __init__(self, policy: Sequence[str]) -> None:
        super().__init__()
        for name in policy:
            if name not in POLICIES:
                known = ", ".join(POLICIES)
                raise UserError(
                    f"`diffaugment_policy`: '{name}'{did_you_mean(name, POLICIES)}; known are {known}"
                )
        if not policy:
            raise UserError("`diffaugment_policy`: empty; expected some of " + ", ".join(POLICIES))
        self.policy = tuple(name for name in POLICIES if name in policy)

    def forward(self, x: Tensor, clock: Clock) -> Tensor:
        """x changed."""
        for name in self.policy:
            x = POLICIES[name](x)
        return x

    @property
    def leaks_as(self) -> Sequence[Transform]:
        """Shifts, where it shifts: black strips at the sides are easily seen."""
        return KINDS["translation"] if "translation" in self.policy else ()


def colour(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """Brightness, saturation and contrast; of two or four channels the last is alpha, and stays."""
    alpha = x.shape[1] in (2, 4)
    c, rest = (x[:, :-1], x[:, -1:]) if alpha else (x, x[:, :0])
    c = c + _uniform(x, -0.5, 0.5)
    if c.shape[1] > 1:
        grey = c.mean(1, keepdim=True)
        c = grey + _uniform(x, 0, 2) * (c - grey)
    mean = c.mean((1, 2, 3), keepdim=True)
    c = mean + _uniform(x, 0.5, 1.5) * (c - mean)
    return torch.cat([c, rest], 1) if alpha else c


def translation(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """A shift by whole pixels; what comes in is mid-grey."""
    b, _, h, w = x.shape
    wide = F.pad(x, (1, 1, 1, 1))
    rows, columns = (_moved(x, n) for n in (h, w))
    batch = torch.arange(b, device=x.device)[:, None, None]
    return wide.permute(0, 2, 3, 1)[batch, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def cutout(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """A mid-grey hole, which may lie over an edge."""
    inside = _in_hole(x, x.shape[2])[:, :, None] & _in_hole(x, x.shape[3])[:, None, :]
    return x.masked_fill(inside[:, None], 0.0)


POLICIES: Mapping[str, Callable[[Tensor], Tensor]] = {
    "color": colour,
    "translation": translation,
    "cutout": cutout,
}


def _uniform(x: Tensor, low: float, high: float) -> Float[Tensor, "b 1 1 1"]:
    return low + (high - low) * torch.rand(len(x), 1, 1, 1, device=x.device, dtype=x.dtype)


def _moved(x: Tensor, n: int) -> Tensor:
    """(b, n) places along a side of n pixels with one of padding at either end, after each image's shift."""
    reach = int(n * SHIFT + 0.5)
    shift = torch.randint(-reach, reach + 1, (len(x), 1), device=x.device)
    return (torch.arange(1, n + 1, device=x.device) + shift).clamp(0, n + 1)


def _in_hole(x: Tensor, n: int) -> Tensor:
    """(b, n) whether a row, or a column, is one of the hole's, whose middle may be anywhere."""
    size = int(n * HOLE + 0.5)
    middle = torch.randint(0, n + (1 - size % 2), (len(x), 1), device=x.device)
    at = torch.arange(n, device=x.device) - middle + size // 2
    return (at >= 0) & (at < size)
