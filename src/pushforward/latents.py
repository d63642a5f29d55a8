"""Look into a latent space: how much each dimension carries, what it changes, and a map in the plane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from pushforward.core import to_float
from pushforward.models import Model
from pushforward.objectives.elbo import gaussian_kl
from pushforward.training.randomness import aside


def latent_dim(model: Model) -> int:
    """Dimensions of the model's code."""
    return model.encode(torch.zeros(1, *model.shape)).shape[1]


def posterior(
    model: Model, images: UInt8[Tensor, "n c h w"], *, seed: int = 0
) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]:
    """Posterior means, and the KL of each dimension from the prior in nats, of each image."""
    algorithm: Any = model.algorithm
    mus, kls = [], []
    with aside(seed), torch.no_grad():
        for chunk in images.split(model.batch_size):
            x = algorithm.likelihood.prepare(to_float(chunk.to(model.device)))
            mu, log_var = algorithm.posterior(x)
            mus.append(mu.cpu())
            kls.append(gaussian_kl(mu, log_var).cpu())
    return torch.cat(mus), torch.cat(kls)


def dimension_kl(model: Model, images: UInt8[Tensor, "n c h w"], *, seed: int = 0) -> list[float] | None:
    """Mean KL from the prior of each latent dimension, in nats; None for codes without a distribution."""
    if not hasattr(model.algorithm, "posterior"):
        return None
    return posterior(model, images, seed=seed)[1].double().mean(0).tolist()


def traverse(
    model: Model,
    dims: Sequence[int],
    *,
    steps: int = 9,
    reach: float = 3.0,
    start: Float[Tensor, " d"] | None = None,
) -> tuple[list[float], Float[Tensor, "m s c h w"]]:
    """The values from -reach to reach that each dimension takes in turn, and the decoded images.

    start: the code whose other dimensions are kept; zero, the mean of the prior, by default.
    """
    positions = torch.linspace(-reach, reach, steps)
    start = torch.zeros(latent_dim(model)) if start is None else start
    z = start.repeat(len(dims), steps, 1)
    for row, d in enumerate(dims):
        z[row, :, d] = positions
    images = model.decode(z.flatten(0, 1))
    return positions.tolist(), images.unflatten(0, (len(dims), steps))


def plane(z: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n 2"], tuple[float, float]]:
    """Codes projected on their first two principal components, and the share of variance along each.

    The sign of a component is chosen so that its largest loading is positive. Needs n >= 2 and d >= 2.
    """
    centred = z.double() - z.double().mean(0)
    _, s, v = torch.linalg.svd(centred, full_matrices=False)
    total = s.square().sum().clamp(min=1e-300)
    axes = v[:2] * v[:2].gather(1, v[:2].abs().argmax(1, keepdim=True)).sign()
    share = (s[:2].square() / total).tolist()
    return (centred @ axes.T).float(), (share[0], share[1])
