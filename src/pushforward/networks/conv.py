"""Convolutional encoders and decoders for any size from 8 to 256, square or not.

Sizes are halved until the longer side is at most 7. A decoder walks the encoder's sizes backwards, and
the kernel's parity makes each step exact: 4 doubles n, 3 goes from n to 2n - 1.
"""

from __future__ import annotations

from torch import nn

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
    layers: list[nn.Module] = []
    for fine, inputs, out in zip(sizes, [colours, *widths], widths, strict=False):
        layers += [nn.Conv2d(inputs, out, stride_kernel(fine), stride=2, padding=1), nn.ReLU()]
    h, w = sizes[-1]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(widths[-1] * h * w, outputs))


def conv_decoder(inputs: int, width: int, shape: tuple[int, ...]) -> nn.Sequential:
    """(b, inputs) -> (b, c, h, w). The mirror image of `conv_encoder`."""
    colours, *size = shape
    sizes = pyramid(*size)
    widths = channels(width, len(sizes) - 1)
    h, w = sizes[-1]
    layers: list[nn.Module] = [nn.Linear(inputs, widths[-1] * h * w), nn.Unflatten(1, (widths[-1], h, w))]
    outs = [*reversed(widths[:-1]), colours]
    for fine, n_in, n_out in zip(reversed(sizes[:-1]), reversed(widths), outs, strict=True):
        layers += [nn.ReLU(), nn.ConvTranspose2d(n_in, n_out, stride_kernel(fine), stride=2, padding=1)]
    return nn.Sequential(*layers)
