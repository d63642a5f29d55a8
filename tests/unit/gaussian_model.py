"""A model whose likelihood, posterior and KL are known in closed form: linear, with Gaussian noise."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pushforward.algorithms.vae import VAE, VAEHyperparameters
from pushforward.distributions import Gaussian
from pushforward.models.model import Model

SIGMA = 0.5
SHAPE = (1, 8, 8)
# Orthogonal columns make the exact posterior diagonal: |w_1|² = 4, |w_2|² = 1, w_3 = 0.
SQUARES = torch.tensor([4.0, 1.0, 0.0])


def weight() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    q, _ = torch.linalg.qr(torch.randn(64, 3, generator=generator))
    return q * SQUARES.sqrt()


class ExactEncoder(nn.Module):
    """p(z|x) = N(Wᵀx / (|w|² + σ²), σ² / (|w|² + σ²))."""

    def forward(self, x: Tensor) -> Tensor:
        variance = SIGMA**2 / (SQUARES + SIGMA**2)
        mu = (x.flatten(1) @ weight()) / (SQUARES + SIGMA**2)
        return torch.cat([mu, variance.log().expand_as(mu)], 1)


def exact_model() -> Model:
    """A VAE with the exact posterior, so that every bound is ln p(x) itself."""
    decoder = nn.Sequential(nn.Linear(3, 64, bias=False), nn.Unflatten(1, SHAPE))
    decoder[0].weight = nn.Parameter(weight())
    vae = VAE(
        encoder=ExactEncoder(),
        decoder=decoder,
        likelihood=Gaussian(sigma=SIGMA),
        hyper=VAEHyperparameters(latent_dim=3),
    )
    return Model(vae.eval(), {"method": "vae", "shape": list(SHAPE), "step": 7})


def log_density(x: Tensor) -> Tensor:
    """ln N(x; 0, WWᵀ + σ²)."""
    w = weight().double()
    covariance = w @ w.T + SIGMA**2 * torch.eye(64, dtype=torch.float64)
    normal = torch.distributions.MultivariateNormal(torch.zeros(64, dtype=torch.float64), covariance)
    return normal.log_prob(x.flatten(1).double())


def posterior_kl(x: Tensor) -> Tensor:
    """½(σ_z² + μ² - ln σ_z² - 1) for each image and dimension."""
    variance = (SIGMA**2 / (SQUARES + SIGMA**2)).double()
    mu = (x.flatten(1) @ weight()).double() / (SQUARES + SIGMA**2).double()
    return 0.5 * (variance + mu.square() - variance.log() - 1)


def pictures(n: int = 40) -> Tensor:
    return torch.randint(0, 256, (n, *SHAPE), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
