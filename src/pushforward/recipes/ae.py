"""Autoencoder: networks and likelihood from a data shape and options."""

from __future__ import annotations

from dataclasses import dataclass

from pushforward.algorithms.ae import AE
from pushforward.networks.layers import Shape
from pushforward.recipes.latent import LatentRecipe


@dataclass(kw_only=True)
class AERecipe(LatentRecipe):
    """Options of `train ae`."""

    def build(self, shape: Shape) -> AE:
        """A freshly initialised autoencoder for images of this (channels, height, width)."""
        encoder, decoder, likelihood = self.parts(shape, codes=1)
        return AE(encoder=encoder, decoder=decoder, likelihood=likelihood, hyper=self)
