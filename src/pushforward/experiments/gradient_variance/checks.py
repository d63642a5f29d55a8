"""What is checked of the variances."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

from pushforward.experiments.gradient_variance.autoencoder import (
    AVERAGED,
    BIASED,
    BITS,
    BITS_METHODS,
    GAUSSIAN,
    GAUSSIAN_METHODS,
)
from pushforward.experiments.gradient_variance.gaussian import (
    DIMENSIONS,
    DRAWS,
    FIXED,
    FUNCTIONS,
    KS,
    METHODS,
    PARAMETERS,
    USUAL,
    setting,
)
from pushforward.experiments.gradient_variance.regression import SETTING
from pushforward.experiments.harness.experiment import Claim, Results
from pushforward.objectives.montecarlo import Z95, power_law_slope

COSINE = "cos(kx)"
APART = 1.2  # exact variances nearer than this are not expected to be told apart


def all_claims() -> list[Claim]:
    """Of the Gaussian variable, of the VAE's encoder, and of the regression."""
    return [*_of_one_variable(), *_of_the_encoder(), *_of_the_regression()]


def _of_one_variable() -> list[Claim]:
    widest = max(DIMENSIONS)
    return [
        Claim(
            "the share of measured variances whose 95 % interval holds the one by quadrature",
            lambda r: _share([off <= Z95 for off in _deviations(r)]),
            ">=",
            0.9,
        ),
        Claim(
            "no measured variance is more standard errors off than so",
            lambda r: max(_deviations(r)),
            "<=",
            6.0,
        ),
        Claim(
            f"pairs of estimators, {100 * (APART - 1):.0f} % apart by quadrature, whose order was measured "
            "the other way",
            _wrong_orders,
            "<=",
            0.0,
        ),
        Claim(
            "cos(8x): the pathwise variance over the score function's, the lesser of μ and σ",
            lambda r: min(_ratios(r, setting(COSINE, k=8.0), "pathwise", "score-function")),
            ">=",
            10.0,
        ),
        Claim(
            "cos(x/2): the pathwise variance over the score function's, the larger of μ and σ",
            lambda r: max(_ratios(r, setting(COSINE, k=0.5), "pathwise", "score-function")),
            "<=",
            0.5,
        ),
        Claim(
            "fixed baseline: slope of ln variance against ln N, the most that it is off −1",
            lambda r: max(abs(_slope(r, f, s) + 1) for f in FUNCTIONS for s in PARAMETERS.values()),
            "<=",
            0.05,
        ),
        Claim(
            f"{widest} dimensions instead of 1, fixed baseline: the least growth of the variance by μ",
            lambda r: min(_growth(r, FIXED, f, widest) for f in FUNCTIONS),
            ">=",
            5.0,
        ),
        Claim(
            f"{widest} dimensions instead of 1, pathwise: the most growth of the variance by μ",
            lambda r: max(_growth(r, "pathwise", f, widest) for f in FUNCTIONS),
            "<=",
            1.2,
        ),
    ]


def _of_the_encoder() -> list[Claim]:
    def of(method: str, latents: str) -> Callable[[Results], float]:
        return lambda r: r.mean("encoder's variance", method, latents)

    def over(method: str, other: str, latents: str) -> Callable[[Results], float]:
        return lambda r: of(method, latents)(r) / of(other, latents)(r)

    def off(r: Results, method: str) -> float:
        return r.mean("off in standard errors", method, BITS)

    rest = [method for method in GAUSSIAN_METHODS if method not in ("pathwise", "measure-valued")]
    return [
        Claim(
            "Gaussian latents: the least variance of a score function over the pathwise one's",
            lambda r: min(of(method, GAUSSIAN)(r) for method in rest) / of("pathwise", GAUSSIAN)(r),
            ">=",
            2.0,
        ),
        Claim(
            "Gaussian latents: RLOO's variance over the plain score function's",
            over("rloo", "score-function", GAUSSIAN),
            "<=",
            0.1,
        ),
        Claim("bits: DisARM's variance over RLOO's", over("disarm", "rloo", BITS), "<=", 1.0),
        Claim("bits: DisARM's variance over ARM's", over("disarm", "arm", BITS), "<=", 1.0),
        Claim("bits: RLOO's variance over a moving average's", over("rloo", AVERAGED, BITS), "<=", 1.0),
        Claim(
            "bits: no unbiased mean is more standard errors off the exact gradient than so",
            lambda r: max(off(r, method) for method in BITS_METHODS if method not in BIASED),
            "<=",
            2.0,
        ),
        Claim(
            "bits: every biased mean is at least so many off",
            lambda r: min(off(r, method) for method in BIASED),
            ">=",
            3.0,
        ),
    ]


def _of_the_regression() -> list[Claim]:
    def over(figure: str, method: str, other: str) -> Callable[[Results], float]:
        return lambda r: r.mean(figure, method, SETTING) / r.mean(figure, other, SETTING)

    return [
        Claim(
            "regression: RLOO's variance over the pathwise one's, at the start",
            over("variance at the start", "rloo", "pathwise"),
            ">=",
            10.0,
        ),
        Claim(
            "regression: RLOO's variance over the plain score function's, at the start",
            over("variance at the start", "rloo", "score-function"),
            "<=",
            0.5,
        ),
        Claim(
            "regression: the pathwise ELBO less the plain score function's, in nats",
            lambda r: r.mean("ELBO", "pathwise", SETTING) - r.mean("ELBO", "score-function", SETTING),
            ">=",
            0.0,
        ),
    ]


def _deviations(results: Results) -> list[float]:
    return [off for symbol in PARAMETERS.values() for off in results.all(f"off by {symbol}")]


def _share(hits: list[bool]) -> float:
    return sum(hits) / len(hits)


def _wrong_orders(results: Results) -> float:
    """Over all k, both parameters and all pairs of methods."""
    return float(sum(_disagrees(*pair) for pair in _pairs(results)))


Variance = tuple[float, float]  # measured, exact


def _pairs(results: Results) -> Iterator[tuple[Variance, Variance]]:
    for f in FUNCTIONS:
        for k in KS:
            for symbol in PARAMETERS.values():
                yield from combinations([_variance(results, m, setting(f, k=k), symbol) for m in METHODS], 2)


def _variance(results: Results, method: str, where: str, symbol: str) -> Variance:
    measured = results.mean(f"variance by {symbol}", method, where)
    return measured, results.mean(f"exact variance by {symbol}", method, where)


def _disagrees(a: Variance, b: Variance) -> bool:
    low, high = sorted((a, b), key=lambda variance: variance[1])
    return high[1] > APART * low[1] and high[0] <= low[0]


def _ratios(results: Results, where: str, method: str, other: str) -> list[float]:
    return [
        _variance(results, method, where, symbol)[0] / _variance(results, other, where, symbol)[0]
        for symbol in PARAMETERS.values()
    ]


def _slope(results: Results, f: str, symbol: str) -> float:
    draws = sorted([*DRAWS, int(USUAL["N"])])
    return power_law_slope(draws, [_variance(results, FIXED, setting(f, N=n), symbol)[0] for n in draws])[0]


def _growth(results: Results, method: str, f: str, dimensions: int) -> float:
    wide, narrow = (_variance(results, method, setting(f, D=d), "μ")[0] for d in (dimensions, 1))
    return wide / narrow
