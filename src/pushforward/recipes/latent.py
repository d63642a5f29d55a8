"""What the recipes of all models with a latent code share: likelihood and networks, from options."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import nn

from pushforward.algorithms.latent import LatentHyperparameters
from pushforward.data import Dataset
from pushforward.distributions import (
    Bernoulli,
    ContinuousBernoulli,
    DiscretizedLogistic,
    DiscretizedLogisticMixture,
    Gaussian,
    Likelihood,
)
from pushforward.distributions.standard import standard_of
from pushforward.errors import UserError
from pushforward.networks.conv import conv_decoder, conv_encoder
from pushforward.networks.layers import Shape
from pushforward.networks.mlp import mlp_decoder, mlp_encoder

LEAST_SIGMA = 1e-3  # of points, in standard deviations


class Parts(NamedTuple):
    """What a recipe hands to its algorithm."""

    encoder: nn.Module
    decoder: nn.Module
    likelihood: Likelihood


@dataclass(kw_only=True)
class LatentRecipe(LatentHyperparameters):
    """Options of every model that encodes images and decodes them under a likelihood."""

    kept: ClassVar[tuple[str, ...]] = (
        "latent_dim",
        "likelihood",
        "sigma",
        "binarization",
        "mixtures",
        "network",
        "hidden",
        "width",
    )
    """What a cure that changes the method takes along."""

    likelihood: Literal["gaussian", "bernoulli", "continuous-bernoulli", "logistic", "logistic-mixture"] = (
        "gaussian"
    )
    """What a decoded pixel is: gaussian for grey and colour images, bernoulli for black-and-white ones,
    continuous-bernoulli for soft greys; logistic and logistic-mixture give each of the 256 levels a mass."""
    sigma: Literal["optimal", "learned"] | float = "optimal"
    """Standard deviation of the gaussian likelihood on the pixel scale [-1, 1], of points in theirs: found,
    learned or fixed."""
    binarization: Literal["dynamic", "static", "none"] = "dynamic"
    """How the bernoulli likelihood makes pixels binary: anew at each use, once and for all, or not at all."""
    mixtures: int = 10
    """Components of the logistic-mixture likelihood, for each channel of each pixel."""
    network: Literal["auto", "mlp", "conv"] = "auto"
    """Architecture; auto takes mlp up to 1,024 pixel values and conv above."""
    hidden: tuple[int, ...] = (512,)
    """Widths of the mlp's hidden layers, from the image inwards."""
    width: int = 32
    """Channels of the conv network's first layer; they double with each halving of the image, up to 256."""

    def parts(self, shape: Shape, *, codes: int, coordinates: int | None = None) -> Parts:
        """Freshly initialised networks for images of this (channels, height, width), or points (d,).

        codes: outputs of the encoder for each coordinate of z, 2 where it gives a mean and a variance.
        coordinates: numbers that the decoder takes; one for each latent dimension by default.
        """
        self.check()
        likelihood = self.likelihood_of(shape)
        wide = coordinates or self.latent_dim
        encoder, decoder = self._networks(shape, codes * wide, wide, likelihood.outputs)
        return Parts(encoder, decoder, likelihood)

    def likelihood_of(self, shape: Shape) -> Likelihood:
        """The likelihood of images or points of this shape."""
        return self._likelihood() if len(shape) == 3 else self._likelihood_of_points(shape)

    def is_flat(self, shape: Shape) -> bool:
        """Whether the networks are fully connected."""
        flat = len(shape) == 1 or (self.network == "auto" and math.prod(shape) <= 1024)
        return flat or self.network == "mlp"

    def prepare_data(self, images: Dataset) -> Dataset:
        """Static binarization: each pixel drawn once, with its intensity as probability, from seed 0."""
        if self.likelihood != "bernoulli" or self.binarization != "static":
            return images
        generator = torch.Generator().manual_seed(0)
        threshold = torch.rand(images.x.shape, generator=generator)
        binary = (images.x / 255 > threshold).to(torch.uint8) * 255
        return replace(images, x=binary)

    def check(self) -> None:
        """Raise UserError at the first value that cannot be."""
        for name in ("latent_dim", "width", "mixtures"):
            if getattr(self, name) < 1:
                raise UserError(f"`{name}`: {getattr(self, name)}; expected at least 1")
        if any(h < 1 for h in self.hidden):
            raise UserError(f"`hidden`: {' '.join(map(str, self.hidden))}; expected widths of at least 1")
        if not isinstance(self.sigma, str) and not self.sigma > 0:
            raise UserError(f"`sigma`: {self.sigma}; expected a positive number, 'learned' or 'optimal'")

    def _likelihood_of_points(self, shape: Shape) -> Likelihood:
        if self.likelihood != "gaussian":
            raise UserError(
                f"`likelihood`: {self.likelihood} is of pixels, and `data` holds points; take gaussian"
            )
        if self.network == "conv":
            raise UserError("`network`: conv, and `data` holds points; take mlp or leave it out")
        return Gaussian(sigma=self.sigma, sigma_floor=LEAST_SIGMA, bounded=False, standard=standard_of(shape))

    def _likelihood(self) -> Likelihood:
        match self.likelihood:
            case "gaussian":
                return Gaussian(sigma=self.sigma)
            case "bernoulli":
                return Bernoulli(binarization=self.binarization)
            case "continuous-bernoulli":
                return ContinuousBernoulli()
            case "logistic":
                return DiscretizedLogistic()
            case "logistic-mixture":
                return DiscretizedLogisticMixture(mixtures=self.mixtures)

    def _networks(
        self, shape: Shape, codes: int, coordinates: int, outputs_per_channel: int
    ) -> tuple[nn.Module, nn.Module]:
        decoded = (outputs_per_channel * shape[0], *shape[1:])
        if self.is_flat(shape):
            return (
                mlp_encoder(shape, self.hidden, codes),
                mlp_decoder(coordinates, self.hidden[::-1], decoded),
            )
        return (
            conv_encoder(shape, self.width, codes),
            conv_decoder(coordinates, self.width, decoded),
        )
