"""Noise without parameters, in float32 at least: a uniform draw in bfloat16 rounds to 1."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.objectives.estimators.contract import full_precision


def exponential(like: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Exp(1), never 0."""
    e = torch.empty_like(full_precision(like.detach()), memory_format=torch.contiguous_format)
    return e.exponential_().clamp_(min=torch.finfo(e.dtype).tiny)


def gumbel(like: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Gumbel(0, 1) = -ln(-ln u)."""
    return -exponential(like).log()


def logistic(like: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Logistic(0, 1) = ln u - ln(1 - u), the difference of two Gumbels."""
    return exponential(like).log() - exponential(like).log()
