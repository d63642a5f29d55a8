"""VAE: networks and likelihood from a data shape and options."""

from __future__ import annotations

from dataclasses import dataclass

from pushforward.algorithms.conditional_vae import ConditionalVAE
from pushforward.algorithms.vae import VAE, VAEHyperparameters
from pushforward.distributions.labels import Labels
from pushforward.errors import UserError
from pushforward.networks.layers import Shape
from pushforward.recipes.latent import LatentRecipe
from pushforward.streams import Classes, check_told


@dataclass(kw_only=True)
class VAERecipe(LatentRecipe, VAEHyperparameters):
    """Options of `train vae`."""

    conditional: bool = False
    """Learn each class of images for itself: encoder and decoder are told it (Sohn et al. 2015)."""

    def build(self, shape: Shape, classes: Classes | None = None) -> VAE | ConditionalVAE:
        """A freshly initialised VAE for images of this (channels, height, width), or points (d,)."""
        check_told(self, classes)
        if classes is not None:
            return self._conditional(shape, classes)
        encoder, decoder, likelihood = self.parts(shape, codes=2)
        return VAE(encoder=encoder, decoder=decoder, likelihood=likelihood, hyper=self)

    def _conditional(self, shape: Shape, classes: Classes) -> ConditionalVAE:
        if len(shape) == 1:
            raise UserError("`conditional`: the data are points; a conditional VAE takes images")
        self.check()
        likelihood, labels = self.likelihood_of(shape), Labels(classes.shares)
        channels, height, width = shape
        told, d, outputs = (channels + 1, height, width), self.latent_dim, likelihood.outputs
        encoder, _ = self._networks(told, 2 * d, d, outputs)
        _, decoder = self._networks(shape, 2 * d, d + len(labels), outputs)
        return ConditionalVAE(
            encoder=encoder,
            decoder=decoder,
            likelihood=likelihood,
            hyper=self,
            labels=labels,
            size=(height, width),
        )
