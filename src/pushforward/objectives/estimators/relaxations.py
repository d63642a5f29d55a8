"""Bernoulli and one-hot categorical variables as thresholds of continuous ones, in log space.

C. J. Maddison, A. Mnih and Y. W. Teh, *The Concrete distribution*, ICLR 2017; the conditional draws are
those of G. Tucker et al., *REBAR*, NIPS 2017, appendix. A factor is a Bernoulli, whose latent is the logit
plus logistic noise, or a OneHotCategorical, whose latent is ln π plus Gumbel noise.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Bernoulli, Distribution, OneHotCategorical

from pushforward.objectives.estimators.noise import exponential, gumbel, logistic

Relaxable = Bernoulli | OneHotCategorical


def relaxable(factors: Distribution) -> Relaxable:
    """The factors, as the table has let them through."""
    assert isinstance(factors, Relaxable)
    return factors


def perturbed_logits(factors: Relaxable) -> Float[Tensor, "*shape"]:
    """A draw of the continuous variable, differentiable in θ."""
    noise = logistic if isinstance(factors, Bernoulli) else gumbel
    return factors.logits + noise(factors.logits)


def harden(factors: Relaxable, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The discrete value of a continuous draw: z > 0, or one-hot at the largest (Gumbel-Max)."""
    if isinstance(factors, Bernoulli):
        return (z > 0).to(z.dtype)
    return F.one_hot(z.argmax(-1), z.shape[-1]).to(z.dtype)


def soften(
    factors: Relaxable, z: Float[Tensor, "*shape"], temperature: float | Tensor
) -> Float[Tensor, "*shape"]:
    """sigmoid(z/τ) or softmax(z/τ)."""
    return torch.sigmoid(z / temperature) if isinstance(factors, Bernoulli) else (z / temperature).softmax(-1)


def conditional_logits(factors: Relaxable, b: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """A draw of the continuous variable given its discrete value b, differentiable in θ."""
    logits = factors.logits
    if isinstance(factors, Bernoulli):
        # ln(v/((1-v)(1-p)) + 1) where b = 1, with -ln(1-p) = softplus(l), and its mirror image where b = 0
        sign = 2 * b - 1
        return sign * F.softplus(logistic(logits) + F.softplus(sign * logits))
    top = exponential(logits[..., :1]).log()
    rest = torch.logaddexp(exponential(logits).log() - logits, top)
    return -torch.where(b > 0, top, rest)


def score(factors: Relaxable, b: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """∂ ln q(b)/∂logits = b - p."""
    return b - factors.probs.detach()


def tangent(factors: Relaxable, gradient: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """A gradient by the logits as torch holds them (normalised) -> by logits that are free."""
    if isinstance(factors, Bernoulli):
        return gradient
    return gradient - factors.probs.detach() * gradient.sum(-1, keepdim=True)
