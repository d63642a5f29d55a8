"""Every family of generator and critic, small, under one signature."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from pushforward.networks.dcgan import dcgan_critic, dcgan_generator, dcgan_reconstructor
from pushforward.networks.gan_mlp import maxout_critic, mlp_critic, mlp_generator, mlp_reconstructor
from pushforward.networks.layers import normalise_spectrum_
from pushforward.networks.residual import residual_critic, residual_generator

LATENT = 16


def _spectral_residual(shape, *, codes=0):
    return normalise_spectrum_(residual_critic(shape, width=4, codes=codes))


GENERATORS = {
    "mlp": lambda shape: mlp_generator(LATENT, (32, 32), shape),
    "mlp-batch": lambda shape: mlp_generator(LATENT, (32, 32), shape, batch_norm=True),
    "dcgan": lambda shape: dcgan_generator(LATENT, shape, width=4),
    "dcgan-plain": lambda shape: dcgan_generator(LATENT, shape, width=4, slope=0.2, batch_norm=False),
    "residual": lambda shape: residual_generator(LATENT, shape, width=4),
}
# Whose scores of a batch are each sample's own.
SEPARATE_CRITICS = {
    "mlp": lambda shape, **how: mlp_critic(shape, (32, 32), **how),
    "mlp-spectral": lambda shape, **how: mlp_critic(shape, (32, 32), spectral_norm=True, **how),
    "maxout": lambda shape, **how: maxout_critic(shape, (32, 32), **how),
    "dcgan-plain": partial(dcgan_critic, width=4, normalisation="none"),
    "dcgan-spectral": partial(dcgan_critic, width=4, normalisation="spectral"),
    "dcgan-penalised": partial(dcgan_critic, width=4, normalisation="none", penalised=True),
    "residual": partial(residual_critic, width=4),
    "residual-penalised": partial(residual_critic, width=4, penalised=True),
    "residual-spectral": _spectral_residual,
}
CRITICS = {**SEPARATE_CRITICS, "dcgan": partial(dcgan_critic, width=4)}
RECONSTRUCTORS = {
    "mlp": lambda shape: mlp_reconstructor(shape, LATENT),
    "dcgan": lambda shape: dcgan_reconstructor(shape, LATENT, width=4),
    "dcgan-plain": lambda shape: dcgan_reconstructor(shape, LATENT, width=4, batch_norm=False),
}
SIZES = {16: 3, 28: 1, 32: 1, 48: 3, 64: 3, 128: 3, 256: 1}
SHAPES = [(1, 8, 8), (1, 33, 47), *((c, n, n) for n, c in SIZES.items())]

each_generator = pytest.mark.parametrize("generator", GENERATORS.values(), ids=GENERATORS)
each_critic = pytest.mark.parametrize("critic", CRITICS.values(), ids=CRITICS)
each_separate_critic = pytest.mark.parametrize("critic", SEPARATE_CRITICS.values(), ids=SEPARATE_CRITICS)
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=lambda s: "x".join(map(str, s)))


def images(n: int, shape: tuple[int, ...]) -> torch.Tensor:
    """Uniform noise in [-1, 1]."""
    return torch.rand(n, *shape) * 2 - 1
