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

from torch import nn

from pushforward.algorithms.latent import GaussianLatentModel, LatentHyperparameters
from pushforward.core import Draw, Player, Steps, Update
from pushforward.distributions import Likelihood
from pushforward.objectives.elbo import gaussian_kl, reparameterize


@dataclass(kw_only=True)
class VAEHyperparameters(LatentHyperparameters):
    """What the paper leaves to choose."""


class VAE(GaussianLatentModel):
    """Variational autoencoder with a Gaussian posterior and a standard normal prior."""

    def __init__(
        self,
        *,
        encoder: nn.Module,
        decoder: nn.Module,
        likelihood: Likelihood,
        hyper: VAEHyperparameters,
    ) -> None:
        super().__init__(encoder=encoder, decoder=decoder, likelihood=likelihood, latent_dim=hyper.latent_dim)
        self.hyper = hyper

    def players(self) -> dict[str, Player]:
        """One player: encoder, decoder and likelihood share one loss."""
        return {"vae": self.hyper.player(self)}

    def step(self, draw: Draw) -> Steps:
        """Maximise E_q[ln p(x|z)] - KL(q(z|x) ‖ p(z)), eq. 10."""
        x = self.likelihood.prepare(draw().x)
        mu, log_var = self.posterior(x)
        z = reparameterize(mu, log_var)
        log_px = self.likelihood.log_prob(self.decoder(z), x).mean()
        kl = gaussian_kl(mu, log_var).sum(1).mean()
        yield Update({"vae": kl - log_px}, {"kl": kl, "reconstruction": -log_px})
