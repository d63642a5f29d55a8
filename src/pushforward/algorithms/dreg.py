"""The importance weighted autoencoder with doubly reparameterized gradients (DReG).

G. Tucker, D. Lawson, S. Gu and C. J. Maddison, *Doubly Reparameterized Gradient Estimators for Monte Carlo
Objectives*, ICLR 2019: their estimator of the gradient of the IWAE's bound, "IWAE-DReG". With w̃ = w/Σw,

    decoder: Σ_i w̃_i ∂ln w_i/∂θ, as in the IWAE
    encoder: Σ_i w̃_i² ∂ln w_i/∂z_i ∂z_i/∂φ

The IWAE's own estimator has, for the encoder, the score -Σ_i w̃_i ∂ln q(z_i|x)/∂φ at fixed z as well. A second
reparameterization turns its expectation into a path through z, so both have the same mean. Where q is the
posterior, w is the same for all z, and this gradient is 0 at each draw.

Deviations from the paper:
1. Only of the IWAE's bound: not of reweighted wake-sleep, nor of the jackknife estimate.
2. One stochastic layer, Adam with rate 1e-3, and the recipe's networks.
"""

from __future__ import annotations

from dataclasses import dataclass

from pushforward.algorithms.latent import MultiSampleHyperparameters, MultiSampleModel
from pushforward.core import Draw, Player, Steps, Update
from pushforward.objectives.elbo import importance_weighted_bound


@dataclass(kw_only=True)
class DReGHyperparameters(MultiSampleHyperparameters):
    """What the paper leaves to choose."""


class DReG(MultiSampleModel):
    """An IWAE whose encoder's gradient has the same mean, and noise that does not drown it as k grows."""

    def players(self) -> dict[str, Player]:
        """Two, since they weigh the samples differently: the encoder, and the decoder with the likelihood."""
        return self.two_players()

    def step(self, draw: Draw) -> Steps:
        """Maximise E[ln (1/k) Σ w_i]; each loss has the value of its negative, and a gradient of its own."""
        log_w = self.drawn(draw, through_z=True)
        w = log_w.detach().softmax(0)
        bound = importance_weighted_bound(log_w).mean()
        path = (w.square() * log_w).sum(0).mean()
        path = path + (bound - path).detach()
        yield Update({"decoder": -bound, "encoder": -path}, self.of_the_draws(log_w))
