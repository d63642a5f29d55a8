"""What the signals and the likelihoods must be, and what they might."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pushforward.experiments.harness.experiment import Claim, Results
from pushforward.experiments.harness.summary import spread_of
from pushforward.experiments.tighter_bounds import (
    CIWAE,
    DECODER,
    DIGITS,
    DREG,
    ENCODER,
    GAP,
    IWAE,
    KS,
    LINEAR_KS,
    NLL,
    PIWAE,
    VAE,
    linear,
    young,
)
from pushforward.objectives.montecarlo import power_law_slope

WITHIN = 0.15  # of a slope
LEAST = 1e-6  # of a ratio, whose estimate may be 0
REMEDIES = (CIWAE, PIWAE, DREG)


def slope(
    figure: str,
    method: str,
    results: Results,
    where: Callable[[int], str] = linear,
    ks: Sequence[int] = LINEAR_KS[1:],
) -> float:
    """Of ln ratio against ln k."""
    return power_law_slope(ks, [max(LEAST, results.mean(figure, method, where(k))) for k in ks])[0]


def off(figure: str, method: str, expected: float) -> Callable[[Results], float]:
    """How far the linear model's slope is from what the theory says."""
    return lambda results: abs(slope(figure, method, results) - expected)


def times(method: str) -> Callable[[Results], float]:
    """The method's ratio over the IWAE's, of digits and most samples."""
    most = young(KS[-1])
    return lambda results: results.mean(ENCODER, method, most) / results.mean(ENCODER, IWAE, most)


def ahead(method: str) -> Callable[[Results], float]:
    """Nats by which a method's likelihood is better than the IWAE's, in standard deviations of the two."""

    def value(results: Results) -> float:
        mine, other = results.values(NLL, method, DIGITS), results.values(NLL, IWAE, DIGITS)
        gain = results.mean(NLL, IWAE, DIGITS) - results.mean(NLL, method, DIGITS)
        noise = max(spread_of(mine, "sd") or 0.0, spread_of(other, "sd") or 0.0)
        return gain / noise if noise else float("nan")

    return value


def all_claims() -> list[Claim]:
    """Slopes by theory are required; who wins in equal minutes is not."""
    slopes = [
        ("IWAE: the encoder's ratio falls as 1/√k", ENCODER, IWAE, -0.5),
        ("IWAE: the decoder's rises as √k", DECODER, IWAE, 0.5),
        ("PIWAE, √k groups of √k: the encoder's stays", ENCODER, PIWAE, 0.0),
        ("DReG: the encoder's rises as √k", ENCODER, DREG, 0.5),
    ]
    found = [
        Claim(f"linear-Gaussian, {words} (slope off by)", off(figure, method, expected), "<=", WITHIN)
        for words, figure, method, expected in slopes
    ]
    found += [
        Claim(
            f"digits, k = {KS[-1]}: {method} has more signal to noise in its encoder than the IWAE, times",
            times(method),
            ">=",
            1.0,
        )
        for method in REMEDIES
    ]
    found += [
        Claim(
            "digits: the IWAE's encoder has less of it the more samples (slope)",
            lambda r: slope(ENCODER, IWAE, r, young, KS),
            "<=",
            0.0,
            required=False,
        ),
        Claim(
            "equal minutes: the IWAE is ahead of the VAE, nats",
            lambda r: r.mean(NLL, VAE, DIGITS) - r.mean(NLL, IWAE, DIGITS),
            ">=",
            0.0,
            required=False,
        ),
    ]
    found += [
        Claim(
            f"equal minutes: {method} is ahead of the IWAE, in standard deviations over seeds",
            ahead(method),
            ">=",
            1.0,
            required=False,
        )
        for method in REMEDIES
    ]
    return [
        *found,
        Claim(
            "equal minutes: PIWAE's encoder fits better than the IWAE's (NLL below −ELBO), nats",
            lambda r: r.mean(GAP, IWAE, DIGITS) - r.mean(GAP, PIWAE, DIGITS),
            ">=",
            0.0,
            required=False,
        ),
    ]
