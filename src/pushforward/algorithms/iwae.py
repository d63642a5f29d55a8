"""The importance weighted autoencoder.

Y. Burda, R. Grosse and R. Salakhutdinov, *Importance weighted autoencoders*, ICLR 2016, eq. 8, 13 and 14. One
backward pass through ln (1/k) Σ w_i gives their estimator Σ w̃_i ∇ ln w_i with w̃ = w/Σw: the normalised
weights are what differentiating the logarithm of the sum leaves.

Deviations from the paper:
1. One stochastic layer.
2. Adam with rate 1e-3 throughout, eps 1e-8 and batches of 100 instead of a rate that falls from 1e-3 to 1e-4
   over 3,280 epochs, eps 1e-4 and batches of 20.
3. ReLU instead of tanh, PyTorch's default initialisation instead of Glorot & Bengio's.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from pushforward.algorithms.latent import GaussianLatentModel, LatentHyperparameters
from pushforward.core import Draw, Player, Steps, Update
from pushforward.distributions import Likelihood
from pushforward.errors import UserError
from pushforward.objectives.elbo import importance_weighted_bound


@dataclass(kw_only=True)
class IWAEHyperparameters(LatentHyperparameters):
    """What the paper leaves to choose."""

    k: int = 5
    """Samples of z for each image. A step costs about k times a VAE's; k = 1 is the VAE in expectation."""


class IWAE(GaussianLatentModel):
    """A VAE that maximises a bound of k samples, tighter than the ELBO."""

    def __init__(
        self,
        *,
        encoder: nn.Module,
        decoder: nn.Module,
        likelihood: Likelihood,
        hyper: IWAEHyperparameters,
    ) -> None:
        super().__init__(encoder=encoder, decoder=decoder, likelihood=likelihood, latent_dim=hyper.latent_dim)
        if hyper.k < 1:
            raise UserError(f"`k`: {hyper.k}; expected at least 1 sample")
        self.hyper = hyper

    def players(self) -> dict[str, Player]:
        """One player: encoder, decoder and likelihood share one loss."""
        return {"vae": self.hyper.player(self)}

    def step(self, draw: Draw) -> Steps:
        """Maximise E[ln (1/k) Σ w_i], eq. 8; logs the ELBO of the same draws, and how many of them count."""
        x = self.likelihood.prepare(draw().x)
        log_w = self.log_weights(x, self.hyper.k)
        bound = importance_weighted_bound(log_w).mean()
        w = log_w.detach().softmax(0)
        effective = 1 / w.square().sum(0)
        info = {"elbo": log_w.detach().mean(), "effective_samples": effective.mean()}
        yield Update({"vae": -bound}, info)
