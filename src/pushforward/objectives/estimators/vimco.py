"""VIMCO: the score function for multi-sample bounds, with a leave-one-out control.

A. Mnih and D. J. Rezende, *Variational inference for Monte Carlo objectives*, ICML 2016. For
L = ln (1/k) Σ w_i, where ŵ_i is the geometric mean of the other weights and L_{-i} is L with ŵ_i for w_i:

    ∇L ≈ Σ_i (L - L_{-i}) ∇ ln q(z_i) + Σ_i (w_i / Σ_j w_j) ∇ ln w_i
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.errors import UserError
from pushforward.objectives.estimators.contract import full_precision, zero_with_gradient


def vimco(log_weights: Float[Tensor, "k *batch"], log_q: Float[Tensor, "k *batch"]) -> Float[Tensor, ""]:
    """Sum over the batch of L = ln (1/k) Σ w_i, in nats, whose gradient is VIMCO's; to be *maximised*.

    log_weights: ln p(x, z_i) - ln q(z_i|x) of k draws, with its graph. log_q: ln q(z_i|x) alone. The draws
    carry no gradient. Raises UserError for fewer than two draws.
    """
    if log_weights.shape != log_q.shape or len(log_weights) < 2:
        raise UserError(
            f"log_weights: given shape {tuple(log_weights.shape)} with log_q {tuple(log_q.shape)}, expected "
            "one shape (k, *batch) with k ≥ 2; draw more samples, or take score-function for one"
        )
    log_w, log_q = full_precision(log_weights), full_precision(log_q)
    bound = torch.logsumexp(log_w, 0) - math.log(len(log_w))
    signal = bound.detach() - _bounds_without(log_w.detach())
    return (bound + (signal * zero_with_gradient(log_q)).sum(0)).sum()


def _bounds_without(log_w: Float[Tensor, "k *batch"]) -> Float[Tensor, "k *batch"]:
    """L_{-i}, for each i."""
    k = len(log_w)
    own = torch.eye(k, dtype=torch.bool, device=log_w.device).view(k, k, *[1] * (log_w.ndim - 1))
    mean_of_others = log_w.masked_fill(own, 0).sum(1) / (k - 1)
    replaced = torch.where(own, mean_of_others.unsqueeze(1), log_w)
    return torch.logsumexp(replaced, 1) - math.log(k)
