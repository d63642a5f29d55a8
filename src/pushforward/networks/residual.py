"""Residual networks without normalisation, for images of any size from 8 to 256, square or not.

Y. Huang et al., *The GAN is dead; long live the GAN! A Modern GAN Baseline*, NeurIPS 2024, section 4:
resampling by interpolation, a block at each scale, and fixup's weights (Zhang et al. 2019) in place of
normalisation, so that the network starts near a linear map of unit scale.

Deviations: 1. A block is two 3 x 3 convolutions, not 1 x 1, grouped 3 x 3, 1 x 1: grouped ones are slow on
a CPU. 2. One block a scale. 3. Channels double with each halving of the size. 4. A block's last layer
starts at a tenth of He's scale instead of at zero, since a spectral norm divides by what is there. 5. The
generator ends in a tanh. 6. It starts from a linear layer, the critic ends in one, instead of a basis of
4 x 4 maps.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from pushforward.networks.conv import Size, channels, pyramid_of
from pushforward.networks.critic import Critic, score_head
from pushforward.networks.layers import ChannelsLast, he_init_, rectifier

ImageShape = tuple[int, int, int]
LAST_SCALE = 0.1


class ResidualBlock(nn.Module):
    """x + conv(rectifier(conv(x))). blocks: how many the network has, for the scale of the weights."""

    def __init__(self, channels: int, *, slope: float, blocks: int, penalised: bool = False) -> None:
        super().__init__()
        first = nn.Conv2d(channels, channels, 3, padding=1)
        last = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        he_init_(first, slope)
        he_init_(last, slope)
        with torch.no_grad():
            # Fixup's L^(-1/(2m-2)) for m = 2 layers: the sum over L blocks keeps its scale as they learn.
            first.weight.mul_(blocks**-0.5)
            last.weight.mul_(LAST_SCALE)
        self.branch = nn.Sequential(first, rectifier(slope, penalised=penalised), last)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Of the same shape."""
        return x + self.branch(x)


class Upsample(nn.Module):
    """Bilinear, to a size that is about twice as large."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
        """(b, c, *size)."""
        return F.interpolate(x, self.size, mode="bilinear", align_corners=False)


def residual_generator(
    latent_dim: int, shape: ImageShape, *, width: int = 32, slope: float = 0.2
) -> nn.Sequential:
    """(b, latent_dim) -> (b, c, h, w) in (-1, 1).

    width: channels at the image's own size; they double with each halving, up to 8 · width.
    """
    sizes = pyramid_of(shape)
    widths = channels(width, len(sizes), widest=8 * width)
    h, w = sizes[-1]
    project = nn.Linear(latent_dim, widths[-1] * h * w)
    layers: list[nn.Module] = [project, nn.Unflatten(1, (widths[-1], h, w)), ChannelsLast()]
    layers.append(ResidualBlock(widths[-1], slope=slope, blocks=len(sizes)))
    for size, (coarse, fine) in zip(sizes[-2::-1], pairwise(reversed(widths)), strict=True):
        # 1 x 1 before the interpolation: the same map, for a quarter of the work.
        layers += [_mix(coarse, fine), Upsample(size)]
        layers.append(ResidualBlock(fine, slope=slope, blocks=len(sizes)))
    he_init_(project, slope=1)
    return nn.Sequential(*layers, _mix(width, shape[0]), nn.Tanh())


def residual_critic(
    shape: ImageShape, *, width: int = 32, slope: float = 0.2, codes: int = 0, penalised: bool = False
) -> Critic:
    """(b, c, h, w) -> (b, 1), or (b, c, h, w), (b, codes) -> (b, 1).

    width: channels at the image's own size; they double with each halving, up to 8 · width. codes: width
    of the z of a critic of pairs, which joins the features. penalised: built for speed under a penalty on
    its gradient; the function is the same.
    """
    sizes = pyramid_of(shape)
    widths = channels(width, len(sizes), widest=8 * width)

    def block(channels: int) -> ResidualBlock:
        return ResidualBlock(channels, slope=slope, blocks=len(sizes), penalised=penalised)

    layers: list[nn.Module] = [ChannelsLast(), _mix(shape[0], width), block(width)]
    for fine, coarse in pairwise(widths):
        # Halvings round up: the last column of an odd width is averaged with nothing.
        halve = nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False)
        layers += [halve, _mix(fine, coarse), block(coarse)]
    layers += [rectifier(slope, penalised=penalised), nn.Flatten()]
    features = widths[-1] * math.prod(sizes[-1])

    def head() -> nn.Module:
        return he_init_(score_head(features, codes=codes, slope=slope), slope)

    return Critic(nn.Sequential(*layers), head(), another=head)


def _mix(inputs: int, outputs: int) -> nn.Conv2d:
    """A linear map of each pixel's channels, which keeps their scale."""
    return he_init_(nn.Conv2d(inputs, outputs, 1), slope=1)
