"""FastGAN's generator: gates that a coarse map opens and shuts on a fine one.

B. Liu, Y. Zhu, K. Song and A. Elgammal, *Towards Faster and Stabilized GAN Training for High-fidelity
Few-shot Image Synthesis*, ICLR 2021, section 3.1: nearest-neighbour upsampling, convolutions with gated
linear units, and *skip-layer excitation*: a 4 x 4 summary of the map at 8 pixels multiplies the channels of
that at 128, and so on.

Deviations from the paper:
1. No noise is injected, so that an image is a function of z.
2. No spectral norm in the generator.
3. Sizes follow from the image (`conv.pyramid`), so below 128 pixels a gate spans fewer scales than the
   paper's four.
4. Channels double with each halving, up to 8 times those of the finest scale.
5. One image: the paper's second, of 128 pixels, is for its own critic.
6. It starts from a linear layer, the same map.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from pushforward.errors import UserError
from pushforward.networks.conv import Size, channels, pyramid
from pushforward.networks.layers import ChannelsLast, he_init_, normal_init_

LEAST_SIDE = 32  # pixels: below, there is no scale to skip
SPAN = 4  # scales that a gate skips at most: 8 to 128, 16 to 256
SUMMARY = 4  # pixels that a coarse map is pooled to
GATED = 1.5  # keeps the scale through a gated unit where nothing normalises: E σ(√3 n)² is a third


class SkipExcitation(nn.Module):
    """A fine map, its channels multiplied by numbers in (0, 1) that a coarse map gives: eq. 1."""

    def __init__(self, coarse: int, fine: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(SUMMARY),
            nn.Conv2d(coarse, fine, SUMMARY),
            nn.LeakyReLU(0.1),
            nn.Conv2d(fine, fine, 1),
            nn.Sigmoid(),
        )

    def forward(
        self, coarse: Float[Tensor, "b c i j"], fine: Float[Tensor, "b d h w"]
    ) -> Float[Tensor, "b d h w"]:
        """Of the shape of the fine one."""
        return fine * self.gate(coarse)


class Enlarge(nn.Module):
    """Nearest-neighbour upsampling to a size, then so many gated convolutions."""

    def __init__(self, inputs: int, outputs: int, size: Size, *, depth: int, batch_norm: bool) -> None:
        super().__init__()
        self.size = size
        self.layers = nn.Sequential(
            *(_gated(inputs if i == 0 else outputs, outputs, batch_norm=batch_norm) for i in range(depth))
        )

    def forward(self, x: Float[Tensor, "b c i j"]) -> Float[Tensor, "b d h w"]:
        """(b, d, *size)."""
        return self.layers(F.interpolate(x, self.size, mode="nearest"))


class FastGenerator(nn.Module):
    """(b, latent_dim) -> (b, c, h, w) in (-1, 1). See `fastgan_generator`."""

    def __init__(self, latent_dim: int, shape: tuple[int, int, int], width: int, *, batch_norm: bool) -> None:
        super().__init__()
        colours, *side = shape
        sizes = pyramid(*side)[::-1]
        widths = channels(width, len(sizes), widest=8 * width)[::-1]
        h, w = sizes[0]
        self.first = nn.Sequential(
            nn.Linear(latent_dim, 2 * widths[0] * h * w, bias=not batch_norm),
            nn.Unflatten(1, (2 * widths[0], h, w)),
            ChannelsLast(),
            *([nn.BatchNorm2d(2 * widths[0])] if batch_norm else []),
            nn.GLU(dim=1),
        )
        self.blocks = nn.ModuleList(  # two convolutions, then one, in turns, as in the authors' code
            Enlarge(inputs, outputs, size, depth=2 if i % 2 == 0 else 1, batch_norm=batch_norm)
            for i, (inputs, outputs, size) in enumerate(zip(widths, widths[1:], sizes[1:], strict=False))
        )
        self.span = min(SPAN, len(sizes) - 2)
        self.gates = nn.ModuleList(
            SkipExcitation(a, b) for a, b in zip(widths[1:], widths[1 + self.span :], strict=False)
        )
        self.last = nn.Conv2d(widths[-1], colours, 3, padding=1)

    def forward(self, z: Float[Tensor, "b d"]) -> Float[Tensor, "b c h w"]:
        """The image."""
        x = self.first(z)
        made: list[Tensor] = []
        for block in self.blocks:
            x = block(x)
            source = len(made) - self.span
            if source >= 0:
                x = self.gates[source](made[source], x)
            made.append(x)
        return torch.tanh(self.last(x))


def fastgan_generator(
    latent_dim: int, shape: tuple[int, int, int], *, width: int = 64, batch_norm: bool = True
) -> FastGenerator:
    """(b, latent_dim) -> (b, c, h, w) in (-1, 1), of sides from 32 pixels.

    width: channels at the image's own size; they double with each halving, up to 8 · width. Raises UserError
    for smaller images.
    """
    if min(shape[1:]) < LEAST_SIDE:
        raise UserError(
            f"`generator`: fastgan, but images of {shape[1]}x{shape[2]}; expected sides of at least "
            f"{LEAST_SIDE} pixels; take auto, or a larger `image_size`"
        )
    network = FastGenerator(latent_dim, shape, width, batch_norm=batch_norm)
    if batch_norm:
        return normal_init_(network)
    he_init_(network)
    with torch.no_grad():
        for block in (network.first, network.blocks):
            for layer in block.modules():
                if isinstance(layer, nn.Linear | nn.Conv2d):
                    layer.weight.mul_(GATED**0.5)
    return network


def _gated(inputs: int, outputs: int, *, batch_norm: bool) -> nn.Sequential:
    # A bias before batch normalisation would be subtracted again.
    layers: list[nn.Module] = [nn.Conv2d(inputs, 2 * outputs, 3, padding=1, bias=not batch_norm)]
    layers += [nn.BatchNorm2d(2 * outputs)] if batch_norm else []
    return nn.Sequential(*layers, nn.GLU(dim=1))
