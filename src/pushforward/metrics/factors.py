"""What every measure on codes and factors of variation asks of them first."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from pushforward.errors import UserError
from pushforward.metrics.features import checked

LEAST = 20  # rows
EDGE = 1e-9  # of a bin: a code at an edge is above it, however it was rounded
ROUNDING = 1e-9  # of the largest entry: a code whose deviation is less is constant


def standardised(z: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n d"], Bool[Tensor, " d"]]:
    """Codes of mean 0 and standard deviation 1, constant ones all 0; and which are not constant.

    Raises UserError where all are constant.
    """
    std = z.std(0)
    varies = std > ROUNDING * z.abs().amax(0)
    if not bool(varies.any()):
        raise UserError("`codes`: constant; expected codes that differ from row to row")
    return torch.where(varies, (z - z.mean(0)) / torch.where(varies, std, 1.0), 0.0), varies


def active_codes(z: Float[Tensor, "n d"], active: Tensor | None) -> Float[Tensor, "n e"]:
    """The active codes, standardised. active: (d,) booleans; constant codes never are.

    Raises UserError for another mask, or where no code is left.
    """
    z, kept = standardised(z)
    if active is not None:
        if active.dtype != torch.bool or active.shape != kept.shape:
            raise UserError(
                f"`active`: {tuple(active.shape)} of {active.dtype}; expected {len(kept)} booleans, (d,)"
            )
        kept = kept & active.to(kept.device)
        if not bool(kept.any()):
            raise UserError("`active`: no code that differs from row to row; expected at least one")
    return z[:, kept]


def codes_and_factors(
    codes: Tensor, factors: Tensor, bins: int | None
) -> tuple[Tensor, Int64[Tensor, "n k"]]:
    """Codes in double, and factors as indices. bins: of factors that are no integers; None refuses them.

    Raises UserError for codes of one dimension, fewer than 20 rows, NaN, and factors that are constant
    or have other rows.
    """
    (z,) = checked(LEAST, codes=codes.detach().cpu())
    if z.shape[1] < 2:
        raise UserError("`codes`: of one dimension; expected at least two, or there is nothing to tell apart")
    if factors.ndim != 2 or len(factors) != len(z) or not factors.shape[1]:
        raise UserError(
            f"`factors`: {tuple(factors.shape)}; expected (n, k) with n = {len(z)}, one row a code"
        )
    return z, indexed(factors, bins)


def indexed(factors: Tensor, bins: int | None) -> Int64[Tensor, "n k"]:
    """Each factor's values as 0, 1, ...; floats by `bins` of equal width, or refused. Raises UserError."""
    if factors.ndim != 2 or not all(factors.shape):
        raise UserError(f"`factors`: {tuple(factors.shape)}; expected (n, k), a column a factor")
    if factors.is_floating_point():
        if bins is None:
            raise UserError(
                "`factors`: no integers; this score needs rows that share a value: bin them first"
            )
        (factors,) = checked(1, factors=factors)
        _refuse_constant(factors)
        return binned(factors, bins)
    _refuse_constant(factors)
    return torch.stack([column.unique(return_inverse=True)[1] for column in factors.cpu().T], 1)


def _refuse_constant(factors: Tensor) -> None:
    for i, column in enumerate(factors.T):
        if bool((column == column[0]).all()):
            raise UserError(
                f"`factors`: factor {i} is constant; leave it out, or give rows that differ in it"
            )


def binned(x: Float[Tensor, "n d"], bins: int) -> Int64[Tensor, "n d"]:
    """The bin of each entry, of so many of equal width from its column's least to its largest."""
    if bins < 2:
        raise UserError(f"`bins`: {bins}; expected at least 2")
    x = x.cpu()
    low, high = x.amin(0), x.amax(0)
    share = (x - low) / (high - low).clamp(min=1e-300)
    return (share * bins + EDGE).long().clamp(max=bins - 1)
