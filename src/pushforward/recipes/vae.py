"""VAE: networks and likelihood from a data shape and options."""

from __future__ import annotations

from dataclasses import dataclass

from pushforward.algorithms.estimator_vae import EstimatorVAE
from pushforward.algorithms.vae import VAE
from pushforward.recipes.estimator_vae import EstimatorRecipe
from pushforward.recipes.latent import Shape


@dataclass(kw_only=True)
class VAERecipe(EstimatorRecipe):
    """Options of `train vae`."""

    def build(self, shape: Shape) -> VAE | EstimatorVAE:
        """A freshly initialised VAE for images of this (channels, height, width).

        The paper's own one where latents are Gaussian and one reparameterized draw is asked for.
        """
        if self.latent != "gaussian" or self.chosen_estimator != "pathwise" or self.samples != 1:
            return self.estimator_vae(shape)
        encoder, decoder, likelihood = self.parts(shape, codes=2)
        return VAE(encoder=encoder, decoder=decoder, likelihood=likelihood, hyper=self)
