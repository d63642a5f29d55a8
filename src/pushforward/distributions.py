"""Likelihoods of images: what a decoder's output means.

A likelihood owns its link (decoder output -> parameters), its normaliser, its valid range and its
scale. Images are in [-1, 1] everywhere; densities are per unit of that scale, and `bin_width` says how
wide a pixel level is on it, so that bits per dimension count the mass of a level.
"""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

LEVEL_WIDTH = 2 / 255  # between neighbouring uint8 levels on the scale [-1, 1]


class Likelihood(nn.Module, ABC):
    """p(x|z) given the decoder's output, pixels independent.

    outputs: decoder channels needed per image channel. bin_width: width of one pixel level on the scale
    of the density; 1 for a mass function.
    """

    outputs: int = 1
    bin_width: float = 1.0

    def prepare(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """The image that is modelled, from the image as stored. May be random (dynamic binarization)."""
        return x

    @abstractmethod
    def log_prob(self, decoded: Float[Tensor, "b k h w"], x: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
        """ln p(x|z) in nats per image, every constant included. decoded has `outputs` x c channels."""

    @abstractmethod
    def mean(self, decoded: Float[Tensor, "b k h w"]) -> Float[Tensor, "b c h w"]:
        """E[x|z], in [-1, 1]."""

    @abstractmethod
    def sample(self, decoded: Float[Tensor, "b k h w"]) -> Float[Tensor, "b c h w"]:
        """A draw of x given z."""


class Bernoulli(Likelihood):
    """Binary pixels; the decoder's output is a logit, and -ln p(x|z) is binary cross-entropy.

    binarization: "dynamic" draws each pixel anew with its intensity as probability whenever the image
    is used (the protocol of Burda et al. 2016); "static" and "none" take images as they come: "static"
    expects a data set that was binarized once and rounds whatever is not, "none" evaluates the
    cross-entropy on grey pixels too, which is not a likelihood, and warns once.
    """

    def __init__(self, *, binarization: Literal["dynamic", "static", "none"] = "dynamic") -> None:
        super().__init__()
        self.binarization = binarization
        self._checked = False

    def prepare(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Binarize to {-1, 1} as the protocol says."""
        if self.binarization == "dynamic":
            return torch.bernoulli(x.add(1).mul_(0.5)).mul_(2).sub_(1)
        if self.binarization == "static":
            return x.ge(0).to(x.dtype).mul_(2).sub_(1)
        if not self._checked:
            self._checked = True
            if bool((x.abs() < 1).any()):
                warnings.warn(
                    "the Bernoulli likelihood was given grey pixels, for which cross-entropy is not a "
                    "likelihood: use --binarization dynamic (or static), or --likelihood gaussian",
                    stacklevel=2,
                )
        return x

    def log_prob(self, decoded: Float[Tensor, "b c h w"], x: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
        """-(binary cross-entropy), summed over pixels."""
        target = x.add(1).mul_(0.5)
        cross_entropy = F.binary_cross_entropy_with_logits(decoded.float(), target, reduction="none")
        return -cross_entropy.flatten(1).sum(1)

    def mean(self, decoded: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Pixel probabilities, mapped to [-1, 1]."""
        return decoded.float().sigmoid().mul(2).sub(1)

    def sample(self, decoded: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Binary images in {-1, 1}."""
        return torch.bernoulli(decoded.float().sigmoid()).mul(2).sub(1)


class Gaussian(Likelihood):
    """N(f(z), σ²) with one σ for all pixels, on the scale [-1, 1].

    sigma: a number keeps σ fixed, and maximising the likelihood is then minimising squared error;
    "learned" makes ln σ a parameter; "optimal" takes the maximum-likelihood σ² of each training batch,
    its mean squared error (Rybkin, Daniilidis & Levine 2021, eq. 6), and keeps a running average for
    evaluation. A batch's optimum is not additive over samples: several processes do not equal one.
    sigma_floor: smallest σ of the two that move, half a pixel level by default, so that a density on
    eight-bit pixels cannot run to infinity. momentum: weight of a batch in the running average, which
    starts as the plain average of the batches so far.
    """

    bin_width = LEVEL_WIDTH
    log_sigma: Tensor
    batches: Tensor

    def __init__(
        self,
        *,
        sigma: float | Literal["learned", "optimal"] = "optimal",
        sigma_floor: float = LEVEL_WIDTH / 2,
        momentum: float = 0.01,
    ) -> None:
        super().__init__()
        self.sigma = sigma
        self.momentum = momentum
        self.log_floor = math.log(sigma_floor)
        if isinstance(sigma, str):
            start = torch.zeros(())
        else:
            start = torch.tensor(math.log(sigma))
        if sigma == "learned":
            self.log_sigma = nn.Parameter(start)
        else:
            self.register_buffer("log_sigma", start)
        if sigma == "optimal":
            self.register_buffer("batches", torch.zeros(()))

    def log_prob(self, decoded: Float[Tensor, "b c h w"], x: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
        """-‖x - f(z)‖²/(2σ²) - D ln σ - (D/2) ln 2π."""
        squared = (x - decoded.float()).square().flatten(1)
        log_sigma = self._log_sigma(squared)
        constant = log_sigma + 0.5 * math.log(2 * math.pi)
        return -0.5 * squared.sum(1) * torch.exp(-2 * log_sigma) - squared.shape[1] * constant

    def _log_sigma(self, squared: Float[Tensor, "b d"]) -> Float[Tensor, ""]:
        if self.sigma == "learned":
            return self._floored()
        if self.sigma == "optimal" and self.training:
            # At the optimum the derivative by σ is zero, so the gradient need not pass through it.
            best = squared.detach().mean().log().mul(0.5).clamp(min=self.log_floor)
            self.batches.add_(1)
            self.log_sigma.lerp_(best, self.batches.reciprocal().clamp(min=self.momentum))
            return best
        return self.log_sigma

    def _floored(self) -> Float[Tensor, ""]:
        if not self.training:
            return self.log_sigma.clamp(min=self.log_floor)
        # A clamp has no gradient below the floor: σ could never come back. Project the parameter instead.
        self.log_sigma.data.clamp_(min=self.log_floor)
        return self.log_sigma

    def mean(self, decoded: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """f(z), clamped to the valid range."""
        return decoded.float().clamp(-1, 1)

    def sample(self, decoded: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """f(z) + σε, clamped to the valid range."""
        noise = torch.randn_like(decoded, dtype=torch.float32)
        log_sigma = self._floored() if self.sigma == "learned" else self.log_sigma
        return (decoded.float() + log_sigma.exp() * noise).clamp(-1, 1)
