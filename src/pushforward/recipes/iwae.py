"""IWAE and its kin, trained on bounds of several samples: networks and likelihood from options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pushforward.algorithms.dreg import DReG, DReGHyperparameters
from pushforward.algorithms.iwae import IWAE, IWAEHyperparameters
from pushforward.algorithms.latent import MultiSampleModel
from pushforward.algorithms.piwae import CIWAE, PIWAE, CIWAEHyperparameters, PIWAEHyperparameters
from pushforward.errors import UserError
from pushforward.networks.layers import Shape
from pushforward.recipes.latent import LatentRecipe


@dataclass(kw_only=True)
class MultiSampleRecipe(LatentRecipe):
    """Options of every method that maximises a bound of several samples."""

    algorithm: ClassVar[Any]  # a class of `MultiSampleModel`

    sigma: Literal["optimal", "learned"] | float = "learned"
    """Standard deviation of the gaussian likelihood on the pixel scale [-1, 1]: learned, or fixed."""

    def check(self) -> None:
        """The shared checks, and that σ is one that this bound can be maximised over."""
        super().check()
        if self.likelihood == "gaussian" and self.sigma == "optimal":
            raise UserError(
                "`sigma`: optimal; that is the best σ of the ELBO and not of a bound of several samples: "
                "expected 'learned' or a number"
            )

    def build(self, shape: Shape) -> MultiSampleModel:
        """A freshly initialised model for images of this (channels, height, width), or points (d,)."""
        encoder, decoder, likelihood = self.parts(shape, codes=2)
        model: MultiSampleModel = self.algorithm(
            encoder=encoder, decoder=decoder, likelihood=likelihood, hyper=self
        )
        return model


@dataclass(kw_only=True)
class IWAERecipe(MultiSampleRecipe, IWAEHyperparameters):
    """Options of `train iwae`."""

    algorithm: ClassVar = IWAE


@dataclass(kw_only=True)
class PIWAERecipe(MultiSampleRecipe, PIWAEHyperparameters):
    """Options of `train piwae`."""

    algorithm: ClassVar = PIWAE


@dataclass(kw_only=True)
class CIWAERecipe(MultiSampleRecipe, CIWAEHyperparameters):
    """Options of `train ciwae`."""

    algorithm: ClassVar = CIWAE


@dataclass(kw_only=True)
class DReGRecipe(MultiSampleRecipe, DReGHyperparameters):
    """Options of `train dreg`."""

    algorithm: ClassVar = DReG
