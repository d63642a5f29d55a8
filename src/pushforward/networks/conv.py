"""Convolutional encoders and decoders for any size from 8 to 256, square or not.

Sizes are halved until the longer side is at most 7. A decoder walks the encoder's sizes backwards, and
the kernel's parity makes each step exact: 4 doubles n, 3 goes from n to 2n - 1.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from pushforward.errors import UserError

Size = tuple[int, int]
SMALLEST = 8


def pyramid(height: int, width: int, *, base: int = 7) -> list[Size]:
    """Sizes from the image down, each side halved (rounding up) until the longer one is at most `base`."""
    sizes = [(height, width)]
    while max(sizes[-1]) > base:
        h, w = sizes[-1]
        sizes.append(((h + 1) // 2, (w + 1) // 2))
    return sizes


def pyramid_of(shape: tuple[int, int, int]) -> list[Size]:
    """The pyramid of images (c, h, w). Raises UserError for a side under 8 pixels, too small to halve."""
    _, h, w = shape
    if min(h, w) < SMALLEST:
        raise UserError(f"`data`: images of {h}x{w}; expected sides of at least {SMALLEST} pixels")
    return pyramid(h, w)


def stride_kernel(fine: Size) -> Size:
    """The kernel, at stride 2 and padding 1, that a transposed convolution inverts exactly for this size."""
    return (4 if fine[0] % 2 == 0 else 3, 4 if fine[1] % 2 == 0 else 3)


def channels(width: int, depth: int, *, widest: int = 256) -> list[int]:
    """Numbers of channels from the finest scale to the coarsest: doubled at each, up to `widest`."""
    return [min(widest, width * 2**i) for i in range(depth)]


def conv_encoder(shape: tuple[int, ...], width: int, outputs: int) -> nn.Sequential:
    """(b, c, h, w) -> (b, outputs). width: channels after the first stride."""
    colours, *size = shape
    sizes = pyramid(*size)
    widths = channels(width, len(sizes) - 1)
    h, w = sizes[-1]
    return nn.Sequential(
        *_halvings(sizes, [colours, *widths]), nn.Flatten(), nn.Linear(widths[-1] * h * w, outputs)
    )


def conv_decoder(inputs: int, width: int, shape: tuple[int, ...]) -> nn.Sequential:
    """(b, inputs) -> (b, c, h, w). The mirror image of `conv_encoder`."""
    colours, *size = shape
    sizes = pyramid(*size)
    widths = channels(width, len(sizes) - 1)
    h, w = sizes[-1]
    unfold = [nn.Linear(inputs, widths[-1] * h * w), nn.Unflatten(1, (widths[-1], h, w))]
    return nn.Sequential(*unfold, *_doublings(sizes, [colours, *widths]))


class ResidualBlock(nn.Module):
    """x + conv1(ReLU(conv3(ReLU(x)))), with kernels of 1 and 3. Van den Oord et al. 2017, section 4.1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        wide = nn.Conv2d(channels, channels, 3, padding=1)
        self.branch = nn.Sequential(nn.ReLU(), wide, nn.ReLU(), nn.Conv2d(channels, channels, 1))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Of the same shape."""
        return x + self.branch(x)


def conv_map_encoder(shape: tuple[int, ...], width: int, outputs: int, *, halvings: int) -> nn.Sequential:
    """(b, c, h, w) -> (b, outputs, h', w'), sides halved (rounding up) so many times; then two residual
    blocks, and a map of each place's channels.
    """
    colours, *size = shape
    sizes = _halved(size, halvings)
    widths = channels(width, halvings)
    last = [nn.ReLU(), nn.Conv2d(widths[-1], outputs, 1)]
    return nn.Sequential(*_halvings(sizes, [colours, *widths]), *_blocks(widths[-1]), *last)


def conv_map_decoder(inputs: int, width: int, shape: tuple[int, ...], *, halvings: int) -> nn.Sequential:
    """(b, inputs, h', w') -> (b, c, h, w). The mirror image of `conv_map_encoder`."""
    colours, *size = shape
    sizes = _halved(size, halvings)
    widths = channels(width, halvings)
    first = nn.Conv2d(inputs, widths[-1], 3, padding=1)
    return nn.Sequential(first, *_blocks(widths[-1]), *_doublings(sizes, [colours, *widths]))


def _halved(size: Sequence[int], halvings: int) -> list[Size]:
    sizes = pyramid(*size, base=1)[: halvings + 1]
    if len(sizes) <= halvings:
        raise UserError(
            f"`halvings`: {halvings}, but images of {size[0]}x{size[1]} can be halved {len(sizes) - 1} "
            "times; take fewer"
        )
    return sizes


def _halvings(sizes: Sequence[Size], widths: Sequence[int]) -> list[nn.Module]:
    """From each size to the next. widths: channels at each size."""
    layers: list[nn.Module] = []
    for fine, inputs, out in zip(sizes, widths, widths[1:], strict=False):
        layers += [nn.Conv2d(inputs, out, stride_kernel(fine), stride=2, padding=1), nn.ReLU()]
    return layers


def _doublings(sizes: Sequence[Size], widths: Sequence[int]) -> list[nn.Module]:
    """From each size to the one before, from the last to the first. widths: channels at each size."""
    layers: list[nn.Module] = []
    for fine, out, inputs in reversed(list(zip(sizes, widths, widths[1:], strict=False))):
        layers += [nn.ReLU(), nn.ConvTranspose2d(inputs, out, stride_kernel(fine), stride=2, padding=1)]
    return layers


def _blocks(channels: int) -> list[nn.Module]:
    return [ResidualBlock(channels), ResidualBlock(channels)]
