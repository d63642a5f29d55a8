"""VAE: networks and likelihood from a data shape and options."""

from __future__ import annotations

from dataclasses import dataclass

from pushforward.algorithms.vae import VAE, VAEHyperparameters
from pushforward.networks.layers import Shape
from pushforward.recipes.latent import LatentRecipe


@dataclass(kw_only=True)
class VAERecipe(LatentRecipe, VAEHyperparameters):
    """Options of `train vae`."""

    def build(self, shape: Shape) -> VAE:
        """A freshly initialised VAE for images of this (channels, height, width), or points (d,)."""
        encoder, decoder, likelihood = self.parts(shape, codes=2)
        return VAE(encoder=encoder, decoder=decoder, likelihood=likelihood, hyper=self)
