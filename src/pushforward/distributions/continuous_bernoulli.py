"""Grey pixels between black and white: cross-entropy with its normaliser.

G. Loaiza-Ganem and J. P. Cunningham, *The continuous Bernoulli: fixing a pervasive error in variational
autoencoders*, NeurIPS 2019, section 3. The decoder's output is the logit η of their λ, for which the density
on u ∈ [0, 1] is the truncated exponential e^(ηu) η/(e^η - 1): the singularity of C(λ) at λ = ½ is that of
sinh(a)/a at a = η/2 = 0, which has a plain power series.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.distributions.likelihood import LEVEL_WIDTH, Likelihood, at_least_single, level_edges

SERIES_BELOW = 0.3  # three terms are then exact to 2e-9, and the closed form has not yet begun to cancel


class ContinuousBernoulli(Likelihood):
    """Density λ^u (1 - λ)^(1 - u) C(λ) on u = (x + 1)/2 ∈ [0, 1]; the decoder's output is λ's logit.

    The density of a pixel that is exactly black or white grows without bound, like |η|: on images that
    are mostly so the nats say more about how far the logits ran than about the model.
    """

    bin_width = LEVEL_WIDTH

    def log_prob(self, decoded: Float[Tensor, "b c h w"], x: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
        """a·x - ln(sinh(a)/a) - ln 2 with a = η/2, summed over pixels: per unit of the scale [-1, 1]."""
        a = at_least_single(decoded) / 2
        return (a * x - log_sinhc(a) - math.log(2)).flatten(1).sum(1)

    def log_mass(self, decoded: Float[Tensor, "b c h w"], x: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
        """Σ ln ∫ of the density over each level, of which black and white are half as wide inside of [0, 1].

        ∫ e^(ηu) du from a to b is e^(ηm) (b - a) sinhc(η(b - a)/2) with m = (a + b)/2.
        """
        eta = decoded.double()
        low, high = (edge.clamp(-1, 1).add(1).div(2) for edge in level_edges(x))
        middle, width = (low + high) / 2, high - low
        inside = eta * middle + width.log() + log_sinhc(eta * width / 2)
        each = inside - eta / 2 - log_sinhc(eta / 2)
        return at_least_single(each.flatten(1).sum(1).to(decoded.dtype))

    def mean(self, decoded: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """coth(a) - 1/a, the derivative of the log-normaliser; not the sigmoid of the logit."""
        a = at_least_single(decoded) / 2
        big = a.abs().clamp(min=SERIES_BELOW)
        series = a / 3 - a**3 / 45 + 2 * a**5 / 945
        return torch.where(a.abs() < SERIES_BELOW, series, a.sign() * (1 / torch.tanh(big) - 1 / big))

    def sample(self, decoded: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """By the inverse of the distribution function, in its branch η < 0 that cannot overflow."""
        eta = at_least_single(decoded)
        uniform = torch.rand_like(eta)
        down = -eta.abs().clamp(min=1e-3)
        u = torch.log1p(uniform * torch.expm1(down)) / down
        u = torch.where(eta.abs() < 1e-3, uniform, torch.where(eta > 0, 1 - u, u))
        return u.mul(2).sub(1).clamp(-1, 1)


def log_sinhc(a: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """ln(sinh(a)/a), finite with its gradient for every a; its value at 0 is 0."""
    small = a.clamp(-SERIES_BELOW, SERIES_BELOW)
    big = a.abs().clamp(min=SERIES_BELOW)
    series = small**2 / 6 - small**4 / 180 + small**6 / 2835
    closed = big + torch.log1p(-torch.exp(-2 * big)) - torch.log(2 * big)
    return torch.where(a.abs() < SERIES_BELOW, series, closed)
