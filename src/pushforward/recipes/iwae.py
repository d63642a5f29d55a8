"""IWAE: networks and likelihood from a data shape and options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pushforward.algorithms.iwae import IWAE, IWAEHyperparameters
from pushforward.errors import UserError
from pushforward.networks.layers import Shape
from pushforward.recipes.latent import LatentRecipe


@dataclass(kw_only=True)
class IWAERecipe(LatentRecipe, IWAEHyperparameters):
    """Options of `train iwae`."""

    sigma: Literal["optimal", "learned"] | float = "learned"
    """Standard deviation of the gaussian likelihood on the pixel scale [-1, 1]: learned, or fixed."""

    def build(self, shape: Shape) -> IWAE:
        """A freshly initialised IWAE for images of this (channels, height, width)."""
        encoder, decoder, likelihood = self.parts(shape, codes=2)
        return IWAE(encoder=encoder, decoder=decoder, likelihood=likelihood, hyper=self)

    def check(self) -> None:
        """The shared checks, and that σ is one that this bound can be maximised over."""
        super().check()
        if self.likelihood == "gaussian" and self.sigma == "optimal":
            raise UserError(
                "`sigma`: optimal; that is the best σ of the ELBO and not of a bound of several samples: "
                "expected 'learned' or a number"
            )
