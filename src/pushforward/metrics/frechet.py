"""Fréchet distance between Gaussians fitted to features, its error, and its limit for endless samples.

M. Heusel et al., *GANs trained by a two time-scale update rule converge to a local Nash equilibrium*, NIPS
2017, eq. 6: the distance of D. C. Dowson and B. V. Landau, 1982. It is FID on Inception's features alone.
M. J. Chong and D. Forsyth, *Effectively Unbiased FID and Inception Score and where to find them*, CVPR 2020:
the bias is linear in 1/n, so a line through distances of fewer samples leads to that of infinitely many.

Deviations of `extrapolated_frechet` from the second paper:
1. Subsets are random instead of quasi-random, as features of samples that exist are.
2. Both sides shrink together, since the bias is that of both; the paper keeps the real side whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from scipy.special import stdtrit
from torch import Tensor

from pushforward.errors import UserError

LEAST = 2  # rows, to have a covariance
SHARES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)  # of the rows, for the line through 1/n
BOOTSTRAPS = 10


@dataclass(frozen=True)
class Moments:
    """mean: (d,). covariance: (d, d), with n - 1 in its denominator. n: rows. All in double."""

    mean: Float[Tensor, " d"]
    covariance: Float[Tensor, "d d"]
    n: int


@dataclass(frozen=True)
class Extrapolated:
    """value: of all rows. standard_error: its, over bootstrap draws of the rows of both sides. limit: of
    infinitely many rows, which may be below 0 by chance. limit_error: the standard error of the limit, from
    the scatter about the line and the bootstrap's. slope: of the distance in 1/n. half_width,
    limit_half_width: of the 95 % intervals of both."""

    value: float
    standard_error: float
    limit: float
    limit_error: float
    slope: float
    half_width: float
    limit_half_width: float


def moments(x: Float[Tensor, "n d"]) -> Moments:
    """Mean and covariance of features, in double. Raises UserError for fewer than two rows."""
    if len(x) < LEAST:
        raise UserError(f"`x`: {len(x)} points; expected at least {LEAST}, to have a covariance")
    x = x.double()
    mean = x.mean(0)
    centred = x - mean
    return Moments(mean, centred.T @ centred / (len(x) - 1), len(x))


def frechet_distance(a: Float[Tensor, "n d"], b: Float[Tensor, "m e"]) -> float:
    """‖μ_a - μ_b‖² + tr(Σ_a + Σ_b - 2 (Σ_a Σ_b)^½), in squared units of the features, in double.

    A perfect sampler does not score 0, but what two samples of the data do: the fewer points and the more
    features, the more. Raises UserError for fewer than two points on a side, or other features.

    With A and B the centred rows over √(n - 1), tr (AᵀA BᵀB)^½ is the sum of the singular values of ABᵀ:
    n × m numbers instead of d × d, where there are fewer rows than features.
    """
    for name, points in (("a", a), ("b", b)):
        if len(points) < LEAST:
            raise UserError(f"{name}: {len(points)} points; expected at least {LEAST}, to have a covariance")
    _check_features(a.shape[1], b.shape[1])
    if min(len(a), len(b)) >= a.shape[1]:
        return frechet_from_moments(moments(a), moments(b))
    (mean_a, rows_a), (mean_b, rows_b) = _scaled(a), _scaled(b)
    cross = torch.linalg.svdvals(rows_a @ rows_b.T).sum()
    return _assembled(mean_a, mean_b, rows_a.square().sum(), rows_b.square().sum(), cross)


def frechet_from_moments(a: Moments, b: Moments) -> float:
    """The same where mean and covariance are known: tr (Σ_a Σ_b)^½ = Σ √eigenvalues of LᵀΣ_b L, Σ_a = LLᵀ."""
    _check_features(len(a.mean), len(b.mean))
    factor, failed = torch.linalg.cholesky_ex(a.covariance)
    if int(failed):  # not of full rank
        factor = _symmetric_root(a.covariance)
    values = torch.linalg.eigvalsh(factor.T @ b.covariance @ factor)
    cross = values.clamp(min=0).sqrt().sum()
    return _assembled(a.mean, b.mean, a.covariance.trace(), b.covariance.trace(), cross)


def extrapolated_frechet(
    a: Float[Tensor, "n d"], b: Float[Tensor, "m d"], *, seed: int = 0, bootstraps: int = BOOTSTRAPS
) -> Extrapolated:
    """The distance with its standard error, and the limit of endless rows on both sides.

    bootstraps: draws of the rows with replacement. Their distances are too large, as repeated rows are, but
    spread as the distance does. Raises UserError for fewer than four rows on a side, or two bootstraps.
    """
    for name, points in (("a", a), ("b", b)):
        if len(points) < 2 * LEAST:
            raise UserError(f"{name}: {len(points)} points; expected at least {2 * LEAST}, to be halved")
    if bootstraps < 2:
        raise UserError(f"`bootstraps`: {bootstraps}; expected at least 2, to have a spread")
    generator = torch.Generator().manual_seed(seed)
    a, b = a.double(), b.double()
    draws = [
        frechet_distance(*(x[torch.randint(len(x), (len(x),), generator=generator)] for x in (a, b)))
        for _ in range(bootstraps)
    ]
    spread = torch.tensor(draws).std().item()
    inverse, values = [], []
    for share in SHARES:
        parts = [x[torch.randperm(len(x), generator=generator)[: round(share * len(x))]] for x in (a, b)]
        inverse.append(1 / len(parts[0]))
        values.append(frechet_distance(*parts))
    slope, limit, error = _line(inverse, values)
    limit_error = (error**2 + spread**2) ** 0.5
    few = (bootstraps - 1, len(SHARES) - 2)
    # Few draws make a spread unsure: Student's t, for a sum of two of them by Welch and Satterthwaite.
    joint = limit_error**4 / max(spread**4 / few[0] + error**4 / few[1], 1e-300)
    half, limit_half = stdtrit(few[0], 0.975) * spread, stdtrit(max(joint, 1.0), 0.975) * limit_error
    return Extrapolated(values[-1], spread, limit, limit_error, slope, float(half), float(limit_half))


def _line(x: list[float], y: list[float]) -> tuple[float, float, float]:
    """(slope, value at 0, its standard error) of the least-squares line."""
    design = torch.stack([torch.ones(len(x), dtype=torch.float64), torch.tensor(x, dtype=torch.float64)], 1)
    target = torch.tensor(y, dtype=torch.float64)
    inverse = torch.linalg.inv(design.T @ design)
    limit, slope = (inverse @ design.T @ target).tolist()
    residual = (target - design @ torch.tensor([limit, slope], dtype=torch.float64)).square().sum()
    return slope, limit, float((residual / (len(x) - 2) * inverse[0, 0]).sqrt())


def _check_features(a: int, b: int) -> None:
    if a != b:
        raise UserError(f"a, b: {a} and {b} features; expected the same features on both sides")


def _scaled(x: Tensor) -> tuple[Tensor, Tensor]:
    """The mean, and rows R with RᵀR the covariance."""
    x = x.double()
    mean = x.mean(0)
    return mean, (x - mean) / (len(x) - 1) ** 0.5


def _assembled(mean_a: Tensor, mean_b: Tensor, trace_a: Tensor, trace_b: Tensor, cross: Tensor) -> float:
    shift = (mean_a - mean_b).square().sum()
    return float((shift + trace_a + trace_b - 2 * cross).clamp(min=0))


def _symmetric_root(covariance: Float[Tensor, "d d"]) -> Float[Tensor, "d d"]:
    values, vectors = torch.linalg.eigh(covariance)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T
