"""The partially importance weighted autoencoder (PIWAE), and the combination (CIWAE).

T. Rainforth, A. R. Kosiorek, T. A. Le, C. J. Maddison, M. Igl, F. Wood and Y. W. Teh, *Tighter Variational
Bounds are Not Necessarily Better*, ICML 2018. The signal-to-noise ratio of the encoder's gradient falls as
1/√k in an IWAE, that of the decoder's rises as √k. So a PIWAE gives the decoder the bound of all k samples,
and the encoder the mean of bounds of a few; a CIWAE gives both a mixture of the ELBO and the bound.

Deviations from the paper:
1. The MIWAE, where the decoder learns from the mean of bounds too, is only its bound here and no method.
2. A PIWAE has 16 samples in 4 groups by default; the paper's experiments have 64 in all.
3. One stochastic layer, Adam with rate 1e-3, and the recipe's networks.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from pushforward.algorithms.latent import MultiSampleHyperparameters, MultiSampleModel
from pushforward.core import Draw, Player, Steps, Update
from pushforward.distributions import Likelihood
from pushforward.errors import UserError
from pushforward.objectives.elbo import combined_bound, importance_weighted_bound, partial_bound


@dataclass(kw_only=True)
class PIWAEHyperparameters(MultiSampleHyperparameters):
    """What the paper leaves to choose."""

    k: int = 16
    """Samples of z for each image, of all groups together. A step costs about k times a VAE's."""
    groups: int = 4
    """How many bounds of k/groups samples the encoder's objective averages; 1 is the IWAE, k the ELBO."""


class PIWAE(MultiSampleModel):
    """A decoder that learns from the bound of all samples, an encoder from the mean of bounds of a few."""

    hyper: PIWAEHyperparameters

    def __init__(
        self, *, encoder: nn.Module, decoder: nn.Module, likelihood: Likelihood, hyper: PIWAEHyperparameters
    ) -> None:
        super().__init__(encoder=encoder, decoder=decoder, likelihood=likelihood, hyper=hyper)
        if hyper.groups < 1 or hyper.k % hyper.groups:
            raise UserError(
                f"`groups`: {hyper.groups}; expected a divisor of `k`, which is {hyper.k}: "
                f"one of {', '.join(str(m) for m in range(1, hyper.k + 1) if hyper.k % m == 0)}"
            )

    def players(self) -> dict[str, Player]:
        """Two: the encoder, and the decoder with the likelihood."""
        return self.two_players()

    def step(self, draw: Draw) -> Steps:
        """Maximise E[ln (1/k) Σ w] over the decoder, and E[(1/M) Σ_m ln (1/L) Σ_l w_ml] over the encoder."""
        log_w = self.drawn(draw)
        bound = importance_weighted_bound(log_w).mean()
        partial = partial_bound(log_w, self.hyper.groups).mean()
        yield Update({"decoder": -bound, "encoder": -partial}, self.of_the_draws(log_w))


@dataclass(kw_only=True)
class CIWAEHyperparameters(MultiSampleHyperparameters):
    """What the paper leaves to choose."""

    beta: float = 0.5
    """Weight of the ELBO, in [0, 1]; the bound of k samples has the rest. 0 is the IWAE, 1 the VAE."""


class CIWAE(MultiSampleModel):
    """A VAE that maximises a mixture of the ELBO and the bound of k samples."""

    hyper: CIWAEHyperparameters

    def __init__(
        self, *, encoder: nn.Module, decoder: nn.Module, likelihood: Likelihood, hyper: CIWAEHyperparameters
    ) -> None:
        super().__init__(encoder=encoder, decoder=decoder, likelihood=likelihood, hyper=hyper)
        if not 0 <= hyper.beta <= 1:
            raise UserError(f"`beta`: {hyper.beta}; expected a weight from 0 (the IWAE) to 1 (the VAE)")

    def step(self, draw: Draw) -> Steps:
        """Maximise β ELBO + (1 - β) E[ln (1/k) Σ w_i]."""
        log_w = self.drawn(draw)
        bound = combined_bound(log_w, self.hyper.beta).mean()
        yield Update({"vae": -bound}, self.of_the_draws(log_w))
