"""Look into a latent space: how much each dimension carries, what it changes, and a map in the plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from pushforward.abilities import HasGaussianPosterior, HasPosterior
from pushforward.core import to_float
from pushforward.models.model import Model
from pushforward.models.sampling import prior_moments
from pushforward.randomness import aside


def latent_dim(model: Model) -> int:
    """Dimensions of the model's code."""
    return model.encode(torch.zeros(1, *model.shape)).shape[1]


def divergence(
    model: Model, images: UInt8[Tensor, "n c h w"], *, seed: int = 0
) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]:
    """Posterior means, and the KL of each dimension from the prior in nats, of each image."""
    algorithm = model.ability(HasPosterior)
    mus, kls = [], []
    with aside(seed), torch.no_grad():
        for chunk in images.split(model.batch_size):
            x = algorithm.likelihood.prepare(to_float(chunk.to(model.device)))
            mu, kl = algorithm.divergence(x)
            mus.append(mu.cpu())
            kls.append(kl.cpu())
    return torch.cat(mus), torch.cat(kls)


def posterior(
    model: Model, images: UInt8[Tensor, "n c h w"], *, seed: int = 0
) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]:
    """μ and ln σ² of each image's Gaussian q(z|x)."""
    algorithm = model.ability(HasGaussianPosterior)
    with aside(seed), torch.no_grad():
        x = [algorithm.likelihood.prepare(to_float(part.to(model.device))) for part in images.split(500)]
        mus, log_vars = zip(*(algorithm.posterior(part) for part in x), strict=True)
    return torch.cat(mus).cpu(), torch.cat(log_vars).cpu()


@dataclass(frozen=True)
class Codes:
    """Where a model puts images in its latent space.

    z: a code an image, the posterior mean where there is a posterior. kl: mean KL from the prior of
    each dimension, in nats; None for codes without a distribution. centre and spread, per dimension:
    of the prior where there is one, else of the codes.
    """

    z: Float[Tensor, "n d"]
    kl: list[float] | None
    centre: Float[Tensor, " d"]
    spread: Float[Tensor, " d"]

    @property
    def order(self) -> list[int]:
        """Dimensions, the one that tells most of the image first: by KL, else by variance."""
        weight = self.z.double().var(dim=0).tolist() if self.kl is None else self.kl
        return sorted(range(len(weight)), key=lambda i: -weight[i])


def codes(model: Model, images: UInt8[Tensor, "n c h w"], *, seed: int = 0) -> Codes:
    """Encode images. Needs at least 2 of them where codes have no distribution."""
    if model.can(HasPosterior):
        z, kl = divergence(model, images, seed=seed)
        centre, spread = prior_moments(model, z.shape[1])
        return Codes(z, kl.double().mean(0).tolist(), centre, spread)
    z = model.encode(images, seed=seed)
    return Codes(z, None, z.mean(0), z.std(dim=0))


def traverse(
    model: Model,
    codes: Codes,
    dims: Sequence[int],
    *,
    steps: int = 9,
    reach: float = 3.0,
    start: Float[Tensor, " d"] | None = None,
) -> tuple[list[float], Float[Tensor, "m s c h w"]]:
    """Walk along each dimension in turn: positions in units of its spread, and the decoded images.

    reach: how far from the centre, in both directions. start: the code whose other dimensions are kept;
    the centre by default.
    """
    positions = torch.linspace(-reach, reach, steps)
    z = (codes.centre if start is None else start).repeat(len(dims), steps, 1)
    for row, d in enumerate(dims):
        z[row, :, d] = codes.centre[d] + codes.spread[d] * positions
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
