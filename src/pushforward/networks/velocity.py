"""Networks of a velocity v(x, t): fully connected for points and small images, a U-net for images.

Both take states (b, *x) and times (b,) in [0, 1] and return (b, *x), of each row by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pushforward.networks.conv import channels, pyramid_of, stride_kernel
from pushforward.networks.layers import Shape
from pushforward.networks.mlp import mlp

FREQUENCIES = 8  # pairs of sine and cosine that a time becomes
FASTEST = 30.0  # radians over a run of t from 0 to 1


class TimeFeatures(nn.Module):
    """sin and cos of t at frequencies from 1 to 30 in equal ratios: (b,) -> (b, outputs).

    As the positions of Vaswani et al. 2017, section 3.5, with frequencies for times in [0, 1].
    """

    outputs = 2 * FREQUENCIES

    def __init__(self) -> None:
        super().__init__()
        rates = torch.logspace(0, math.log10(FASTEST), FREQUENCIES)
        self.register_buffer("rates", rates, persistent=False)
        self.rates: Tensor

    def forward(self, t: Float[Tensor, " b"]) -> Float[Tensor, "b outputs"]:
        """All sines, then all cosines."""
        angles = t[:, None] * self.rates
        return torch.cat([angles.sin(), angles.cos()], 1)


class VelocityMLP(nn.Module):
    """Layers of the given widths with SiLU, from the numbers of x and the features of t."""

    def __init__(self, shape: Shape, hidden: Sequence[int]) -> None:
        super().__init__()
        d = math.prod(shape)
        self.time = TimeFeatures()
        self.layers = mlp([d + TimeFeatures.outputs, *hidden, d], activation=nn.SiLU)

    def forward(self, x: Float[Tensor, "b *x"], t: Float[Tensor, " b"]) -> Float[Tensor, "b *x"]:
        """v(x, t)."""
        return self.layers(torch.cat([x.flatten(1), self.time(t)], 1)).view(x.shape)


class TimedBlock(nn.Module):
    """x + conv(SiLU(norm(conv(SiLU(norm(x))) + time))). Its last layer starts at zero, the block as x.

    Normalisation is by groups of a state's own channels, so that no row sees another.
    """

    def __init__(self, width: int, embedding: int) -> None:
        super().__init__()
        self.first = nn.Sequential(_norm(width), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1))
        self.time = nn.Linear(embedding, width)
        last = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(last.weight)
        self.last = nn.Sequential(_norm(width), nn.SiLU(), last)

    def forward(self, x: Float[Tensor, "b c h w"], time: Float[Tensor, "b e"]) -> Float[Tensor, "b c h w"]:
        """Of the same shape as x."""
        return x + self.last(self.first(x) + self.time(time)[:, :, None, None])


class VelocityUNet(nn.Module):
    """Convolutions down the pyramid of the image's sizes and up again, for sides of 8 to 256, square or not.

    A block on each way at each scale; what the way down knew of a scale joins the way up. width: channels at
    the image's own size; they double with each halving, up to 8 · width. After Ronneberger et al. 2015 and Ho
    et al. 2020, without attention.
    """

    def __init__(self, shape: Shape, width: int) -> None:
        super().__init__()
        colours, height, breadth = shape
        sizes = pyramid_of((colours, height, breadth))
        widths = channels(width, len(sizes), widest=8 * width)
        embedding = 4 * width
        self.time = nn.Sequential(
            TimeFeatures(),
            nn.Linear(TimeFeatures.outputs, embedding),
            nn.SiLU(),
            nn.Linear(embedding, embedding),
            nn.SiLU(),
        )
        self.stem = nn.Conv2d(colours, width, 3, padding=1)
        steps = list(zip(sizes, widths, widths[1:], strict=False))  # one less than there are sizes
        self.down = nn.ModuleList(TimedBlock(w, embedding) for w in widths)
        self.coarser = nn.ModuleList(
            nn.Conv2d(fine, coarse, stride_kernel(size), stride=2, padding=1) for size, fine, coarse in steps
        )
        self.finer = nn.ModuleList(
            nn.ConvTranspose2d(coarse, fine, stride_kernel(size), stride=2, padding=1)
            for size, fine, coarse in steps
        )
        self.join = nn.ModuleList(nn.Conv2d(2 * w, w, 1) for w in widths[:-1])
        self.up = nn.ModuleList(TimedBlock(w, embedding) for w in widths)
        self.head = nn.Sequential(_norm(width), nn.SiLU(), nn.Conv2d(width, colours, 3, padding=1))

    def forward(self, x: Float[Tensor, "b c h w"], t: Float[Tensor, " b"]) -> Float[Tensor, "b c h w"]:
        """v(x, t)."""
        time = self.time(t)
        h = self.stem(x)
        known = []
        for block, coarser in zip(self.down, self.coarser, strict=False):
            h = block(h, time)
            known.append(h)
            h = coarser(h)
        h = self.up[-1](self.down[-1](h, time), time)
        for i in reversed(range(len(known))):
            h = self.join[i](torch.cat([self.finer[i](h), known[i]], 1))
            h = self.up[i](h, time)
        return self.head(h)


def _norm(width: int) -> nn.GroupNorm:
    return nn.GroupNorm(math.gcd(8, width), width)
