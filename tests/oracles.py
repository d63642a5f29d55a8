"""Models whose answers are known in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from pushforward.algorithms.vae import VAE, VAEHyperparameters
from pushforward.distributions import Gaussian


@dataclass(frozen=True)
class LinearGaussian:
    """x = Wz + μ + σε with z ~ N(0, I): ln p(x), the posterior and the mutual information are known.

    W: (D, d), columns orthogonal when made by `random`, so that the posterior is diagonal and a VAE's
    encoder can be exact. All in double.
    """

    W: Tensor
    mu: Tensor
    sigma: float

    @classmethod
    def random(
        cls, D: int, d: int, *, sigma: float = 0.5, scale: float = 1.0, seed: int = 0
    ) -> LinearGaussian:
        generator = torch.Generator().manual_seed(seed)
        q, _ = torch.linalg.qr(torch.randn(D, d, generator=generator, dtype=torch.float64))
        lengths = scale * (0.5 + torch.rand(d, generator=generator, dtype=torch.float64))
        mu = 0.3 * torch.randn(D, generator=generator, dtype=torch.float64)
        return cls(W=q * lengths, mu=mu, sigma=sigma)

    def sample(self, n: int) -> Tensor:
        D, d = self.W.shape
        z, epsilon = torch.randn(n, d, dtype=torch.float64), torch.randn(n, D, dtype=torch.float64)
        return z @ self.W.T + self.mu + self.sigma * epsilon

    def log_prob(self, x: Tensor) -> Tensor:
        """ln p(x): (b, D) -> (b,)."""
        covariance = self.W @ self.W.T + self.sigma**2 * torch.eye(len(self.W), dtype=torch.float64)
        return MultivariateNormal(self.mu, covariance).log_prob(x.double())

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """ln p(x|z): (b, D), (..., b, d) -> (..., b)."""
        residual = x - z @ self.W.T.to(z.dtype) - self.mu.to(z.dtype)
        constant = math.log(self.sigma) + 0.5 * math.log(2 * math.pi)
        return -0.5 * residual.square().sum(-1) / self.sigma**2 - x.shape[-1] * constant

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean (b, d) and covariance (d, d) of p(z|x)."""
        d = self.W.shape[1]
        inverse = torch.linalg.inv(self.W.T @ self.W + self.sigma**2 * torch.eye(d, dtype=torch.float64))
        return (x.double() - self.mu) @ self.W @ inverse, self.sigma**2 * inverse

    def mutual_information(self) -> float:
        """I(x; z) in nats: ½ ln det(I + WᵀW/σ²)."""
        d = self.W.shape[1]
        gram = torch.eye(d, dtype=torch.float64) + self.W.T @ self.W / self.sigma**2
        return 0.5 * torch.linalg.slogdet(gram).logabsdet.item()

    def vae(self, shape: tuple[int, int, int], *, widen: float = 0.0) -> VAE:
        """The same model as a VAE with the exact posterior, its ln σ² raised by `widen`."""
        d = self.W.shape[1]
        vae = VAE(
            encoder=_Encoder(self, widen),
            decoder=nn.Sequential(nn.Linear(d, len(self.W)), nn.Unflatten(1, shape)),
            likelihood=Gaussian(sigma=self.sigma),
            hyper=VAEHyperparameters(latent_dim=d),
        )
        linear = vae.decoder[0]
        with torch.no_grad():
            linear.weight.copy_(self.W)
            linear.bias.copy_(self.mu)
        return vae.eval()


class _Encoder(nn.Module):
    def __init__(self, model: LinearGaussian, widen: float) -> None:
        super().__init__()
        self.model = model
        self.widen = widen

    def forward(self, x: Tensor) -> Tensor:
        mean, covariance = self.model.posterior(x.flatten(1))
        log_var = covariance.diagonal().log().expand_as(mean) + self.widen
        return torch.cat([mean, log_var], dim=1).float()
