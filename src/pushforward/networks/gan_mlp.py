"""Fully connected generators and critics, of points (d,) and of images (channels, height, width)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from pushforward.networks.critic import Critic
from pushforward.networks.layers import Shape, normalise_spectrum_, rectifier


def mlp_generator(
    latent_dim: int, hidden: Sequence[int], shape: Shape, *, slope: float = 0.0, batch_norm: bool = False
) -> nn.Sequential:
    """(b, latent_dim) -> (b, *shape): images end in a tanh, points are not bounded.

    slope: of the rectifier for negative inputs, 0 for ReLU. batch_norm: before each of them (PacGAN's
    generator for points has it).
    """
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise([latent_dim, *hidden]):
        # A bias before batch normalisation would be subtracted again.
        layers.append(nn.Linear(inputs, outputs, bias=not batch_norm))
        if batch_norm:
            layers.append(nn.BatchNorm1d(outputs))
        layers.append(rectifier(slope))
    layers.append(nn.Linear([latent_dim, *hidden][-1], math.prod(shape)))
    if len(shape) > 1:
        layers += [nn.Unflatten(1, shape), nn.Tanh()]
    return nn.Sequential(*layers)


def mlp_critic(
    shape: Shape, hidden: Sequence[int], *, slope: float = 0.2, codes: int = 0, spectral_norm: bool = False
) -> Critic:
    """(b, *shape) -> (b, 1). codes: width of the z of a critic of pairs, which joins x at the input."""
    critic = _critic(shape, hidden, codes, lambda i, o: [nn.Linear(i, o), rectifier(slope)])
    return normalise_spectrum_(critic) if spectral_norm else critic


def mlp_reconstructor(
    shape: Shape, latent_dim: int, hidden: Sequence[int] = (128, 128), *, slope: float = 0.0
) -> nn.Sequential:
    """(b, *shape) -> (b, latent_dim): VEEGAN's F, two layers of 128 for points."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise([math.prod(shape), *hidden]):
        layers += [nn.Linear(inputs, outputs), rectifier(slope)]
    return nn.Sequential(nn.Flatten(), *layers, nn.Linear([math.prod(shape), *hidden][-1], latent_dim))


class Maxout(nn.Module):
    """The largest of several affine maps, unit by unit. Goodfellow et al. 2013."""

    def __init__(self, inputs: int, outputs: int, pieces: int = 5) -> None:
        super().__init__()
        self.pieces = pieces
        self.affine = nn.Linear(inputs, outputs * pieces)

    def forward(self, x: Float[Tensor, "b inputs"]) -> Float[Tensor, "b outputs"]:
        """Piece k of unit j is row k * outputs + j of the weight."""
        return self.affine(x).unflatten(1, (self.pieces, -1)).amax(dim=1)


def maxout_critic(
    shape: Shape, hidden: Sequence[int] = (200, 200, 200), *, pieces: int = 5, codes: int = 0
) -> Critic:
    """(b, *shape) -> (b, 1) by layers of maxout units: PacGAN's critic of points (Lin et al. 2018).

    codes: width of the z of a critic of pairs, which joins x at the input.
    """
    return _critic(shape, hidden, codes, lambda i, o: [Maxout(i, o, pieces)])


def _critic(
    shape: Shape, hidden: Sequence[int], codes: int, layer: Callable[[int, int], list[nn.Module]]
) -> Critic:
    """Hidden layers make the trunk, or for pairs the head, which joins x and z before them."""
    sizes = [math.prod(shape) + codes, *hidden]

    def last() -> nn.Module:
        return nn.Linear(sizes[-1], 1)

    def layers() -> list[nn.Module]:
        return [part for inputs, outputs in pairwise(sizes) for part in layer(inputs, outputs)]

    def whole() -> nn.Module:
        return nn.Sequential(*layers(), last())

    if codes:
        return Critic(nn.Flatten(), whole(), another=whole)
    return Critic(nn.Sequential(nn.Flatten(), *layers()), last(), another=last)
