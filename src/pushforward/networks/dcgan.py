"""DCGAN's networks for images of any size from 8 to 256, square or not. Radford et al. 2016, section 3.

Deviations: 1. The critic's last 4 x 4 convolution to one number, and the generator's first one, are linear
layers, which is the same map. 2. Sizes need not be powers of two: halvings round up, and end at 4 to 7
pixels (`conv.pyramid`). 3. Kernels are 4 or 3 wide by the parity of the size, for the paper's 5, so that
every output pixel sees as many inputs. 4. Networks without batch normalisation, which the paper does not
have, start with He's weights, since nothing else would set the scale of N(0, 0.02²).
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Literal

from torch import nn

from pushforward.networks.conv import channels, pyramid_of, stride_kernel
from pushforward.networks.critic import Critic, score_head
from pushforward.networks.layers import ChannelsLast, he_init_, normal_init_, normalise_spectrum_, rectifier

ImageShape = tuple[int, int, int]
Normalisation = Literal["none", "batch", "spectral"]


def dcgan_generator(
    latent_dim: int, shape: ImageShape, *, width: int = 64, slope: float = 0.0, batch_norm: bool = True
) -> nn.Sequential:
    """(b, latent_dim) -> (b, c, h, w) in (-1, 1).

    width: channels of the last hidden layer; they double with each halving of the size, up to 8 · width.
    slope: of the rectifier for negative inputs, 0 for the paper's ReLU.
    """
    sizes, widths = pyramid_of(shape), _widths(width, shape)
    h, w = sizes[-1]
    layers: list[nn.Module] = [
        nn.Linear(latent_dim, widths[-1] * h * w, bias=not batch_norm),
        nn.Unflatten(1, (widths[-1], h, w)),
        ChannelsLast(),
    ]
    coarse_to_fine = zip(reversed(sizes[:-1]), pairwise([*reversed(widths), shape[0]]), strict=True)
    for fine, (inputs, outputs) in coarse_to_fine:
        layers += [nn.BatchNorm2d(inputs)] if batch_norm else []
        bias = not batch_norm or fine == sizes[0]
        layers += [
            rectifier(slope),
            nn.ConvTranspose2d(inputs, outputs, stride_kernel(fine), stride=2, padding=1, bias=bias),
        ]
    network = nn.Sequential(*layers, nn.Tanh())
    return normal_init_(network) if batch_norm else he_init_(network, slope)


def dcgan_critic(
    shape: ImageShape,
    *,
    width: int = 64,
    slope: float = 0.2,
    normalisation: Normalisation = "batch",
    codes: int = 0,
    penalised: bool = False,
) -> Critic:
    """(b, c, h, w) -> (b, 1), or (b, c, h, w), (b, codes) -> (b, 1).

    width: channels after the first stride; they double with each further one, up to 8 · width.
    normalisation: "batch" is the paper's, after every convolution but the first; such a critic should see
    real and generated images in passes of their own, and no gradient penalty. "spectral" is Miyato et
    al. 2018's, of every weight. codes: width of the z of a critic of pairs, which joins the features.
    penalised: lay it out for speed under a penalty on its gradient; the function is the same.
    """
    trunk = _trunk(shape, width, slope, batch_norm=normalisation == "batch", penalised=penalised)
    make = partial(score_head, _features(shape, width), codes=codes, slope=slope)
    start = normal_init_ if normalisation == "batch" else partial(he_init_, slope=slope)
    critic = start(Critic(trunk, make(), another=lambda: start(make())))
    return normalise_spectrum_(critic) if normalisation == "spectral" else critic


def dcgan_reconstructor(
    shape: ImageShape, latent_dim: int, *, width: int = 64, slope: float = 0.2, batch_norm: bool = True
) -> nn.Sequential:
    """(b, c, h, w) -> (b, latent_dim): VEEGAN's F for images, a critic's trunk and a linear layer."""
    trunk = _trunk(shape, width, slope, batch_norm=batch_norm)
    network = nn.Sequential(trunk, nn.Linear(_features(shape, width), latent_dim))
    return normal_init_(network) if batch_norm else he_init_(network, slope)


def _trunk(
    shape: ImageShape, width: int, slope: float, *, batch_norm: bool, penalised: bool = False
) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Identity() if penalised else ChannelsLast()]
    for fine, (inputs, outputs) in zip(
        pyramid_of(shape), pairwise([shape[0], *_widths(width, shape)]), strict=False
    ):
        normalised = batch_norm and len(layers) > 1
        layers.append(
            nn.Conv2d(inputs, outputs, stride_kernel(fine), stride=2, padding=1, bias=not normalised)
        )
        layers += [nn.BatchNorm2d(outputs)] if normalised else []
        layers.append(rectifier(slope, penalised=penalised))
    return nn.Sequential(*layers, nn.Flatten())


def _features(shape: ImageShape, width: int) -> int:
    h, w = pyramid_of(shape)[-1]
    return _widths(width, shape)[-1] * h * w


def _widths(width: int, shape: ImageShape) -> list[int]:
    return channels(width, len(pyramid_of(shape)) - 1, widest=8 * width)
