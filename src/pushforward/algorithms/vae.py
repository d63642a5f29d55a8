"""The variational autoencoder.

D. P. Kingma and M. Welling, *Auto-Encoding Variational Bayes*, ICLR 2014, Algorithm 1 with the estimator
of eq. 10 (closed-form KL) and L = 1 sample.

Deviations from the paper:
1. Adam with rate 1e-3 instead of Adagrad; no weight decay (the paper's N(0, 1) prior on the weights).
2. The Gaussian decoder has one σ for all pixels (fixed, learned or optimal) instead of one network
   output per pixel, and its mean is linear instead of squashed by a sigmoid.
3. ReLU instead of tanh, PyTorch's default initialisation instead of N(0, 0.01).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pushforward.core import Algorithm, Draw, Player, Steps, Update
from pushforward.distributions import Likelihood
from pushforward.objectives.elbo import (
    gaussian_kl,
    gaussian_log_prob,
    importance_weighted_bound,
    reparameterize,
)


@dataclass(kw_only=True)
class VAEHyperparameters:
    """What the paper leaves to choose."""

    latent_dim: int = 16
    """Dimensions of z."""
    lr: float = 1e-3
    """Adam's rate, per step."""
    ema: float | None = None
    """Decay per step of averaged weights that are published instead of the last ones; none by default."""


class VAE(Algorithm):
    """Variational autoencoder with a Gaussian posterior and a standard normal prior.

    encoder: images in [-1, 1] -> (b, 2 x latent_dim), the means and ln σ². decoder: (b, latent_dim) ->
    what the likelihood expects.
    """

    def __init__(
        self,
        *,
        encoder: nn.Module,
        decoder: nn.Module,
        likelihood: Likelihood,
        hyper: VAEHyperparameters,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihood
        self.hyper = hyper

    def players(self) -> dict[str, Player]:
        """One player: encoder, decoder and likelihood share one loss."""
        return {"vae": Player(module=self, lr=self.hyper.lr, ema=self.hyper.ema)}

    def step(self, draw: Draw) -> Steps:
        """Maximise E_q[ln p(x|z)] - KL(q(z|x) ‖ p(z)), eq. 10."""
        x = self.likelihood.prepare(draw().x)
        mu, log_var = self.posterior(x)
        z = reparameterize(mu, log_var)
        log_px = self.likelihood.log_prob(self.decoder(z), x).mean()
        kl = gaussian_kl(mu, log_var).sum(1).mean()
        yield Update({"vae": kl - log_px}, {"kl": kl, "reconstruction": -log_px})

    def posterior(self, x: Float[Tensor, "b c h w"]) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b d"]]:
        """μ and ln σ² of q(z|x)."""
        mu, log_var = self.encoder(x).float().chunk(2, dim=1)
        return mu, log_var

    def log_weights(self, x: Float[Tensor, "b c h w"], k: int) -> Float[Tensor, "k b"]:
        """ln p(x, z_i) - ln q(z_i|x) for k draws z_i ~ q(z|x), in nats. x is already prepared."""
        mu, log_var = self.posterior(x)
        x_k, mu_k, log_var_k = (t.repeat(k, *[1] * (t.ndim - 1)) for t in (x, mu, log_var))
        z = reparameterize(mu_k, log_var_k)
        log_joint = self.likelihood.log_prob(self.decoder(z), x_k) + gaussian_log_prob(
            z, torch.zeros_like(mu_k), torch.zeros_like(log_var_k)
        )
        return (log_joint - gaussian_log_prob(z, mu_k, log_var_k)).view(k, len(x))

    def sample(self, n: int) -> Float[Tensor, "n c h w"]:
        """n images, the mean of p(x|z) at z ~ N(0, 1), in [-1, 1]."""
        return self.decode(torch.randn(n, self.hyper.latent_dim, device=self._device()))

    def encode(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        """The posterior mean of each image."""
        return self.posterior(self.likelihood.prepare(x))[0]

    def decode(self, z: Float[Tensor, "b d"]) -> Float[Tensor, "b c h w"]:
        """The mean of p(x|z), in [-1, 1]."""
        return self.likelihood.mean(self.decoder(z))

    def reconstruct(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Decode the posterior mean."""
        return self.decode(self.encode(x))

    def log_prob(self, x: Float[Tensor, "b c h w"], *, k: int = 100) -> Float[Tensor, " b"]:
        """The importance-weighted lower bound on ln p(x) with k samples, in nats per image."""
        return importance_weighted_bound(self.log_weights(self.likelihood.prepare(x), k))

    def _device(self) -> torch.device:
        return next(self.parameters()).device
