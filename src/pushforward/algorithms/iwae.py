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

from pushforward.algorithms.latent import MultiSampleHyperparameters, MultiSampleModel
from pushforward.core import Draw, Steps, Update
from pushforward.objectives.elbo import importance_weighted_bound


@dataclass(kw_only=True)
class IWAEHyperparameters(MultiSampleHyperparameters):
    """What the paper leaves to choose."""


class IWAE(MultiSampleModel):
    """A VAE that maximises a bound of k samples, tighter than the ELBO."""

    def step(self, draw: Draw) -> Steps:
        """Maximise E[ln (1/k) Σ w_i], eq. 8; logs the ELBO of the same draws, and how many of them count."""
        log_w = self.drawn(draw)
        bound = importance_weighted_bound(log_w).mean()
        yield Update({"vae": -bound}, self.of_the_draws(log_w))
