"""VQ-VAE: networks and likelihood from a data shape and options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import nn

from pushforward.algorithms.vq_vae import VQVAE, VQVAEHyperparameters
from pushforward.errors import UserError
from pushforward.networks.conv import conv_map_decoder, conv_map_encoder
from pushforward.networks.layers import Shape
from pushforward.networks.mlp import mlp_decoder, mlp_encoder
from pushforward.recipes.latent import LatentRecipe


@dataclass(kw_only=True)
class VQVAERecipe(VQVAEHyperparameters, LatentRecipe):
    """Options of `train vq-vae`."""

    sigma: Literal["optimal", "learned"] | float = 0.7071
    """Standard deviation of the gaussian likelihood on the pixel scale [-1, 1]: found, learned or fixed. With
    0.7071, the root of 1/2, -ln p(x|z) is the squared error and a constant."""
    codes: int = 8
    """Integers in the code of the mlp, each the index of a vector of latent-dim numbers."""
    halvings: int = 2
    """How often the conv network halves the image; the code is an array of the size that is left."""

    def build(self, shape: Shape) -> VQVAE:
        """A freshly initialised VQ-VAE for images of this (channels, height, width), or points (d,)."""
        self.check()
        likelihood = self.likelihood_of(shape)
        encoder, decoder = self._coders(shape, (likelihood.outputs * shape[0], *shape[1:]))
        return VQVAE(encoder=encoder, decoder=decoder, likelihood=likelihood, hyper=self)

    def check(self) -> None:
        """Raise UserError at the first value that cannot be."""
        super().check()
        for name, least in (("codebook_size", 2), ("codes", 1), ("halvings", 1)):
            if getattr(self, name) < least:
                raise UserError(f"`{name}`: {getattr(self, name)}; expected at least {least}")
        if not self.commitment > 0:
            raise UserError(f"`commitment`: {self.commitment}; expected a positive weight, such as 0.25")
        if not 0 <= self.decay < 1:
            raise UserError(f"`decay`: {self.decay}; expected from 0 to below 1, such as 0.99")

    def _coders(self, shape: Shape, decoded: Shape) -> tuple[nn.Module, nn.Module]:
        """Encoder and decoder, of the shapes that `VQVAE` expects."""
        d, halvings = self.latent_dim, self.halvings
        if self.is_flat(shape):
            flat = self.codes * d
            encoder = nn.Sequential(*mlp_encoder(shape, self.hidden, flat), nn.Unflatten(1, (d, self.codes)))
            return encoder, nn.Sequential(nn.Flatten(), *mlp_decoder(flat, self.hidden[::-1], decoded))
        return (
            conv_map_encoder(shape, self.width, d, halvings=halvings),
            conv_map_decoder(d, self.width, decoded, halvings=halvings),
        )
