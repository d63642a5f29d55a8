"""Squared maximum mean discrepancy of features, unbiased: KID, and CMMD's kernel.

M. Bińkowski, D. J. Sutherland, M. Arbel and A. Gretton, *Demystifying MMD GANs*, ICLR 2018 (KID: the kernel
(x·y/d + 1)³). S. Jayasumana et al., *Rethinking FID: Towards a Better Evaluation Metric for Image
Generation*, CVPR 2024 (CMMD: exp(-‖x - y‖²/2σ²), σ = 10, on CLIP's features).

Deviations:
1. KID is taken of all rows at once instead of averaged over random subsets, and its standard error is
   that of the U-statistic instead of the subsets' spread.
2. The Gaussian kernel's estimate is unbiased, and not multiplied by 1,000; CMMD's code takes the biased one.
   σ is the median distance between real features, unless it is given: 10 is CLIP's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.errors import UserError
from pushforward.metrics.features import checked

LEAST = 10  # rows
BLOCK = 1024
Kernel = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Discrepancy:
    """value: MMD², which may be below 0 by chance. standard_error: of the U-statistic, to first order; where
    both sides are of one distribution it is too large."""

    value: float
    standard_error: float


def kid(a: Float[Tensor, "n d"], b: Float[Tensor, "m e"]) -> Discrepancy:
    """KID, on whatever features these are. Raises UserError for fewer than 10 rows."""
    d = a.shape[1]
    return mmd(a, b, lambda x, y: (x @ y.T).div_(d).add_(1).pow_(3))


def gaussian_mmd(
    a: Float[Tensor, "n d"], b: Float[Tensor, "m e"], *, sigma: float | None = None
) -> Discrepancy:
    """MMD² by a Gaussian kernel. sigma: its deviation; by default the median distance among rows of `b`."""
    a, b = checked(LEAST, a=a, b=b)
    centre = b.mean(0)  # changes no distance, and saves digits
    a, b = a - centre, b - centre
    if sigma is None:
        sigma = torch.pdist(b[:BLOCK]).median().item() or 1.0
    elif not sigma > 0:
        raise UserError(f"`sigma`: {sigma}; expected a positive deviation")
    width = 2 * sigma**2

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        squares = torch.addmm(y.square().sum(1), x, y.T, alpha=-2).add_(x.square().sum(1)[:, None])
        return squares.clamp_(min=0).div_(-width).exp_()

    return mmd(a, b, kernel)


def mmd(a: Float[Tensor, "n d"], b: Float[Tensor, "m e"], kernel: Kernel) -> Discrepancy:
    """The unbiased estimate and its standard error, in double, by blocks.

    With h(x) = E k(x, x') - E k(x, y) the U-statistic's variance is 4 Var h(x) / n, and so for y, to first
    order.
    """
    a, b = checked(LEAST, a=a, b=b)
    own_a, own_b = _own(a, kernel), _own(b, kernel)
    sums = [(k.mean(1), k.sum(0)) for k in (kernel(part, b) for part in a.split(BLOCK))]
    rows = torch.cat([r for r, _ in sums])
    columns = torch.stack([c for _, c in sums]).sum(0) / len(a)
    value = own_a.mean() + own_b.mean() - 2 * rows.mean()
    variance = 4 * ((own_a - rows).var() / len(a) + (own_b - columns).var() / len(b))
    return Discrepancy(value.item(), variance.sqrt().item())


def _own(x: Float[Tensor, "n d"], kernel: Kernel) -> Float[Tensor, " n"]:
    """The mean of the kernel of each row with all others."""
    means = []
    for start in range(0, len(x), BLOCK):
        k = kernel(x[start : start + BLOCK], x)
        means.append((k.sum(1) - k[:, start : start + BLOCK].diagonal()) / (len(x) - 1))
    return torch.cat(means)
