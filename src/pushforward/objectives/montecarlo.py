"""Plain Monte Carlo: expectations with their error, and what an estimator of a gradient is worth.

Every interval is at 95 % and asymptotic in the number of draws: the central limit theorem for means and for
variances (through the fourth moment, so heavy tails widen it), order statistics for the median time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution

from pushforward.errors import UserError

Z95 = 1.959963984540054  # Φ^{-1}(0.975)


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % confidence interval, elementwise. standard_error: of `value`, NaN if unknown."""

    value: Tensor
    low: Tensor
    high: Tensor
    standard_error: Tensor

    @property
    def half_width(self) -> Tensor:
        """Of an interval that is symmetric around its value; NaN if unknown."""
        return Z95 * self.standard_error

    def contains(self, x: Tensor | float) -> bool:
        """Whether every element of x lies inside."""
        return bool(((self.low <= x) & (x <= self.high)).all())


@dataclass(frozen=True)
class Measurement:
    """How good an estimator of a gradient is, by parameter name.

    mean, variance: of one estimate. bias: mean minus oracle, empty without an oracle.
    seconds_per_sample: median wall time of an estimate over its draws, gradient included.
    """

    mean: dict[str, Interval]
    variance: dict[str, Interval]
    bias: dict[str, Interval]
    seconds_per_sample: Interval


def expectation(
    f: Callable[[Tensor], Tensor], dist: Distribution, n: int
) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
    """(mean, standard error) of f(z) over n draws of dist, in double, without a graph.

    f: (n, *batch, *event) -> (n, *batch). The error is the sample standard deviation over √n: it halves
    with four times the draws (`power_law_slope` gives -1/2). Raises UserError for n < 2 or f's shape.
    """
    if n < 2:
        raise UserError(f"n: given {n}, expected at least 2 draws, without which there is no standard error")
    with torch.no_grad():
        values = f(dist.sample(torch.Size((n,))))
    if tuple(values.shape) != (n, *dist.batch_shape):
        raise UserError(
            f"f: returned shape {tuple(values.shape)}, expected {(n, *dist.batch_shape)}, one value per draw "
            "and batch entry; make latents that f uses together an event with Independent"
        )
    values = values.double()
    return values.mean(0), values.std(0) / math.sqrt(n)


def measure_estimator(
    estimate: Callable[[int], tuple[Tensor, Mapping[str, Tensor] | None]],
    *,
    samples: int = 1,
    repeats: int = 100,
    oracle: Mapping[str, Tensor] | None = None,
    per_sample: bool = False,
) -> Measurement:
    """Bias, variance and cost of an estimator of a gradient.

    estimate: n -> (surrogate, jacobians), as the estimators return it: `lambda n: rloo(f, n, q,
    jacobians=True)`. samples: draws of one estimate. repeats: how many estimates, at least 2 (1 if
    per_sample). oracle: parameter name -> the exact gradient. per_sample: study single draws instead,
    samples · repeats of them; only for estimators whose draws are independent, which RLOO's are not.
    Raises UserError where there is too little to measure.
    """
    rows, seconds = _repeat(estimate, samples, repeats, per_sample=per_sample)
    count = len(next(iter(rows.values())))
    if count < 2:
        raise UserError(f"repeats: given {repeats}, expected at least 2 estimates to measure a variance")
    mean = {name: mean_interval(x) for name, x in rows.items()}
    return Measurement(
        mean=mean,
        variance={name: variance_interval(x) for name, x in rows.items()},
        bias={} if oracle is None else {name: _minus(mean[name], oracle[name]) for name in rows},
        seconds_per_sample=median_interval(seconds / samples),
    )


def _repeat(
    estimate: Callable[[int], tuple[Tensor, Mapping[str, Tensor] | None]],
    samples: int,
    repeats: int,
    *,
    per_sample: bool,
) -> tuple[dict[str, Tensor], Float[Tensor, " repeats"]]:
    rows: dict[str, list[Tensor]] = {}
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        _, jacobians = estimate(samples)
        if not jacobians:
            raise UserError("estimate: returned no jacobians; call the estimator with jacobians=True")
        drawn = {name: j.detach().double() for name, j in jacobians.items()}
        reduced = {name: j if per_sample else j.mean(0, keepdim=True) for name, j in drawn.items()}
        if any(j.is_cuda for j in reduced.values()):
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
        for name, j in reduced.items():
            rows.setdefault(name, []).append(j)
    return {name: torch.cat(parts) for name, parts in rows.items()}, torch.tensor(seconds).double()


def mean_interval(x: Float[Tensor, "n *shape"]) -> Interval:
    """The mean over the first dimension, by the central limit theorem; a single row has no known error."""
    if len(x) < 2:
        return _symmetric(x.mean(0), torch.full_like(x[0], torch.nan))
    return _symmetric(x.mean(0), x.std(0) / math.sqrt(len(x)))


def variance_interval(x: Float[Tensor, "n *shape"]) -> Interval:
    """The unbiased variance over the first dimension; its own variance is (μ₄ - σ⁴(n-3)/(n-1))/n."""
    n = len(x)
    variance = x.var(0)
    fourth = (x - x.mean(0)).pow(4).mean(0)
    spread = (fourth - variance.square() * (n - 3) / (n - 1)).clamp(min=0)
    return _symmetric(variance, (spread / n).sqrt())


def median_interval(x: Float[Tensor, " n"]) -> Interval:
    """The median, between the order statistics that cover it with 95 %; all of the range if n is small."""
    ordered = x.sort().values
    n = len(ordered)
    low = _lowest_rank(n)
    high = n - 1 - low
    unknown = torch.full_like(ordered[0], torch.nan)
    return Interval(ordered.quantile(0.5), ordered[low], ordered[max(low, high)], unknown)


def _lowest_rank(n: int) -> int:
    """The largest r with P(fewer than r + 1 of n fair coins show heads) ≤ 2.5 %, counted from 0; else 0."""
    below, r = 0.0, -1
    while r < n:
        below += math.exp(math.lgamma(n + 1) - math.lgamma(r + 2) - math.lgamma(n - r) - n * math.log(2))
        if below > 0.025:
            break
        r += 1
    return max(0, r)


def power_law_slope(n: Sequence[float] | Sequence[int], y: Sequence[float]) -> tuple[float, float]:
    """(slope, its standard error) of ln y against ln n by least squares: -1 for a variance under the 1/N law.

    The error is that of the residuals, 0 for two points. Raises UserError for fewer than two positive points.
    """
    if len(n) != len(y) or len(n) < 2 or min(*n, *y) <= 0:
        raise UserError(
            f"n, y: given {len(n)} and {len(y)} numbers, expected as many of each, at least two, all positive"
        )
    a, b = (torch.tensor(list(v), dtype=torch.float64).log() for v in (n, y))
    a, b = a - a.mean(), b - b.mean()
    slope = (a * b).sum() / a.square().sum()
    residual = (b - slope * a).square().sum() / max(1, len(n) - 2)
    return float(slope), float((residual / a.square().sum()).sqrt())


def _symmetric(value: Tensor, standard_error: Tensor) -> Interval:
    return Interval(value, value - Z95 * standard_error, value + Z95 * standard_error, standard_error)


def _minus(interval: Interval, oracle: Tensor) -> Interval:
    shift = oracle.detach().to(interval.value)
    return _symmetric(interval.value - shift, interval.standard_error)
