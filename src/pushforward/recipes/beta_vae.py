"""β-VAE: networks and likelihood from a data shape and options."""

from __future__ import annotations

from dataclasses import dataclass

from pushforward.algorithms.beta_vae import BetaVAE, BetaVAEHyperparameters
from pushforward.networks.layers import Shape
from pushforward.recipes.latent import LatentRecipe


@dataclass(kw_only=True)
class BetaVAERecipe(LatentRecipe, BetaVAEHyperparameters):
    """Options of `train beta-vae`."""

    def build(self, shape: Shape) -> BetaVAE:
        """A freshly initialised β-VAE for images of this (channels, height, width)."""
        encoder, decoder, likelihood = self.parts(shape, codes=2)
        return BetaVAE(encoder=encoder, decoder=decoder, likelihood=likelihood, hyper=self)
