"""What every likelihood offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

LEVEL_WIDTH = 2 / 255  # between neighbouring uint8 levels on the scale [-1, 1]


def snap_to_levels(x: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """The nearest of the 256 levels that eight bits can hold, on the scale [-1, 1]."""
    return x.clamp(-1, 1).add(1).div(LEVEL_WIDTH).round().mul(LEVEL_WIDTH).sub(1)


def dequantize(x: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """x + u, u uniform over the width of an eight-bit level, 2/255: of a pixel's level, a place in it.

    A density p of such x bounds the mass of an image of d numbers: E_u ln p(x + u) + d ln(2/255) ≤ ln P(x).
    Theis et al. 2016, *A note on the evaluation of generative models*, section 3.1.
    """
    return x + LEVEL_WIDTH * (torch.rand_like(x) - 0.5)


def at_least_single(x: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """Half precision raised to float32, in which sums over pixels are taken; doubles stay doubles."""
    return x if x.dtype == torch.float64 else x.float()


def level_edges(x: Float[Tensor, "*any"]) -> tuple[Float[Tensor, "*any"], Float[Tensor, "*any"]]:
    """Below and above the eight-bit level of each pixel, in double; black and white reach to infinity."""
    x = snap_to_levels(x.double())
    half = LEVEL_WIDTH / 2
    infinite = torch.full_like(x, torch.inf)
    return torch.where(x < half - 1, -infinite, x - half), torch.where(x > 1 - half, infinite, x + half)


@contextmanager
def counting_levels(likelihood: Likelihood) -> Iterator[None]:
    """Inside, `log_prob` gives masses of levels: every bound on ln p(x) becomes one on a code length."""
    likelihood.log_prob = likelihood.log_mass  # type: ignore[method-assign]
    try:
        yield
    finally:
        del likelihood.log_prob


class Likelihood(nn.Module, ABC):
    """p(x|z) given the decoder's output, pixels independent.

    outputs: decoder channels needed per image channel. bin_width: width of one pixel level on the scale
    of the density; 1 for a mass function.
    """

    outputs: int = 1
    bin_width: float = 1.0

    def prepare(self, x: Float[Tensor, "b *x"]) -> Float[Tensor, "b *x"]:
        """The image that is modelled, from the image as stored. May be random (dynamic binarization)."""
        return x

    @abstractmethod
    def log_prob(self, decoded: Float[Tensor, "b *k"], x: Float[Tensor, "b *x"]) -> Float[Tensor, " b"]:
        """ln p(x|z) in nats per image, every constant included. decoded has `outputs` x c channels."""

    def log_mass(self, decoded: Float[Tensor, "b *k"], x: Float[Tensor, "b *x"]) -> Float[Tensor, " b"]:
        """ln P(the eight-bit level of each pixel | z) in nats per image: a code length; levels add up to 1.

        A density times the width of a level is none: a narrow one gives more than 1 to a level.
        """
        if self.bin_width != 1:
            raise NotImplementedError(f"{type(self).__name__} has a density and says no mass of levels")
        return self.log_prob(decoded, x)

    @abstractmethod
    def mean(self, decoded: Float[Tensor, "b *k"]) -> Float[Tensor, "b *x"]:
        """E[x|z], in [-1, 1]."""

    @abstractmethod
    def sample(self, decoded: Float[Tensor, "b *k"]) -> Float[Tensor, "b *x"]:
        """A draw of x given z."""
