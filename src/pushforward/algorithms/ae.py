"""A plain autoencoder: the baseline whose codes have no distribution.

G. E. Hinton and R. R. Salakhutdinov, *Reducing the dimensionality of data with neural networks*, Science
2006. It maximises ln p(x|z) at z = f(x): a VAE's reconstruction term, with neither noise nor prior. So it has
no bound on ln p(x), and nothing says where its codes lie: it cannot sample until a distribution is fitted to
them (`Model.aggregate`).

Deviations from the paper:
1. Trained end to end by Adam, without the layers of restricted Boltzmann machines that it began with.
2. The code is linear, and the likelihood may be any that the library has.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from pushforward.algorithms.latent import LatentHyperparameters
from pushforward.core import Algorithm, Draw, Player, Selector, Steps, Update
from pushforward.distributions import Likelihood
from pushforward.distributions.likelihood import at_least_single


class AE(Algorithm):
    """encoder: images in [-1, 1] -> (b, latent_dim). decoder: the code -> what the likelihood expects."""

    selector = Selector("validation_log_px_given_z")

    def __init__(
        self,
        *,
        encoder: nn.Module,
        decoder: nn.Module,
        likelihood: Likelihood,
        hyper: LatentHyperparameters,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihood
        self.latent_dim = hyper.latent_dim
        self.hyper = hyper

    def players(self) -> dict[str, Player]:
        """One player: encoder, decoder and likelihood share one loss."""
        return {"ae": self.hyper.player(self)}

    def step(self, draw: Draw) -> Steps:
        """Descend the distortion."""
        yield Update({"ae": self.distortion(draw().x).mean()})

    def distortion(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
        """-ln p(x|f(x)) in nats an image; x as stored."""
        x = self.likelihood.prepare(x)
        return -self.likelihood.log_prob(self.decoder(self.encoder(x)), x)

    def encode(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        """The code of each image."""
        z: Tensor = at_least_single(self.encoder(self.likelihood.prepare(x)))
        return z

    def decode(self, z: Float[Tensor, "b d"]) -> Float[Tensor, "b c h w"]:
        """The mean of p(x|z), in [-1, 1]."""
        return self.likelihood.mean(self.decoder(z))

    def reconstruct(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Encode and decode."""
        return self.decode(self.encode(x))
