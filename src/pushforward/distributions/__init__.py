"""Likelihoods of images: what a decoder's output means.

A likelihood owns its link (decoder output -> parameters), its normaliser, its valid range and its
scale. Images are in [-1, 1] everywhere; densities are per unit of that scale, and `bin_width` says how
wide a pixel level is on it, so that bits per dimension count the mass of a level.
"""

from __future__ import annotations

from pushforward.distributions.bernoulli import Bernoulli
from pushforward.distributions.continuous_bernoulli import ContinuousBernoulli
from pushforward.distributions.gaussian import Gaussian
from pushforward.distributions.likelihood import LEVEL_WIDTH, Likelihood, dequantize, snap_to_levels
from pushforward.distributions.logistic import DiscretizedLogistic, DiscretizedLogisticMixture

__all__ = [
    "LEVEL_WIDTH",
    "Bernoulli",
    "ContinuousBernoulli",
    "DiscretizedLogistic",
    "DiscretizedLogisticMixture",
    "Gaussian",
    "Likelihood",
    "dequantize",
    "snap_to_levels",
]
