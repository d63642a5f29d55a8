"""What is checked: the formulas against each other, and what training gives against the formulas."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from pushforward.experiments.harness.experiment import Claim, Results
from pushforward.experiments.js_vs_wasserstein import (
    CLOSED,
    CRITIC,
    ERRING,
    ERRORS,
    LAMBDAS,
    NOISY,
    OPTIMAL,
    SHIFTS,
    STEEP_SHIFT,
    STEEPNESS,
    STEEPNESS_TWO_SIDED,
    TRAINED,
    TWO_SIDED,
    at,
    weighted,
)
from pushforward.experiments.js_vs_wasserstein.trained import PLANAR

FAR, FARTHEST = (10.0, 20.0, 30.0), 30.0
Measure = Callable[[Results], float]


def all_claims() -> list[Claim]:
    """All claims of the experiment."""
    return [*_formulas(), *_draws(), *_trained(), *_critics(), *_plane()]


def _values(figure: str, method: str, shifts: Sequence[float] = SHIFTS) -> Callable[[Results], list[float]]:
    """Of every shift and seed."""
    return lambda results: [v for m in shifts for v in results.values(figure, method, at(m))]


def _off(figure: str, method: str, expected: Callable[[Results, float], float]) -> Measure:
    """The largest relative distance to what is expected at m."""

    def measure(results: Results) -> float:
        return max(
            abs(v / expected(results, m) - 1) for m in SHIFTS for v in results.values(figure, method, at(m))
        )

    return measure


def _exact(results: Results, figure: str, m: float, method: str = CLOSED) -> float:
    return results.mean(figure, method, at(m))


def _formulas() -> list[Claim]:
    return [
        Claim(
            "KL: its gradient is m, so it grows",
            _off("slope of KL", CLOSED, lambda r, m: m),
            "<=",
            1e-9,
        ),
        Claim(
            "JS: saturates at ln 2, from which it is away at m = 10 and beyond",
            lambda r: max(abs(v - math.log(2)) for v in _values("JS", CLOSED, FAR)(r)),
            "<=",
            1e-5,
        ),
        Claim(
            "JS: its gradient vanishes; at m = 30 it is",
            lambda r: abs(_exact(r, "slope of JS", FARTHEST)),
            "<=",
            1e-40,
        ),
        Claim("W₁: its gradient is 1, everywhere", _off("slope of W1", CLOSED, lambda r, m: 1.0), "<=", 1e-9),
        Claim(
            "minimax at the optimal D: its gradient is twice that of JS",
            _off("slope, minimax", OPTIMAL, lambda r, m: 2 * _exact(r, "slope of JS", m)),
            "<=",
            1e-6,
        ),
        Claim(
            "−ln D at the optimal D: its gradient is that of KL(q ‖ p) − 2 JS",
            _off(
                "slope, −ln D",
                OPTIMAL,
                lambda r, m: _exact(r, "slope of KL", m) - 2 * _exact(r, "slope of JS", m),
            ),
            "<=",
            1e-9,
        ),
        Claim(
            "noise on both sides: at m = 30 JS has a gradient again",
            lambda r: _exact(r, "slope of JS", FARTHEST, CLOSED + NOISY),
            ">=",
            0.01,
        ),
    ]


def _draws() -> list[Claim]:
    def noise_over_signal(loss: str, m: float) -> Measure:
        return lambda r: (
            r.mean(f"sd of a draw, {loss}", OPTIMAL, at(m)) / r.mean(f"slope, {loss}", OPTIMAL, at(m))
        )

    def errors(loss: str, of: Callable[[float, float], float]) -> Callable[[Results], list[float]]:
        return lambda r: [of(r.mean(f"median of a draw, {loss}", ERRING, f"error {e:g}"), e) for e in ERRORS]

    return [
        Claim(
            "at the optimal D a draw's gradient is equally noisy under both losses",
            _off(
                "sd of a draw, −ln D", OPTIMAL, lambda r, m: r.mean("sd of a draw, minimax", OPTIMAL, at(m))
            ),
            "<=",
            1e-9,
        ),
        Claim(
            "but minimax drowns in it: sd over gradient at m = 10",
            noise_over_signal("minimax", 10.0),
            ">=",
            100.0,
        ),
        Claim("and −ln D does not", noise_over_signal("−ln D", 10.0), "<=", 0.01),
        Claim(
            "a D that is off by 10⁻² or by 10⁻⁶: −ln D's gradient has the median size 1 all the same, to 5 %",
            lambda r: max(abs(v - 1) for v in errors("−ln D", lambda size, e: size)(r)),
            "<=",
            0.05,
        ),
        Claim(
            "minimax's is no larger than the error",
            lambda r: max(errors("minimax", lambda size, e: size / e)(r)),
            "<=",
            1.0,
        ),
    ]


def _trained() -> list[Claim]:
    noisy = TRAINED + NOISY
    return [
        Claim(
            "D trained: reads JS to 0.02 nats at every m",
            lambda r: max(
                abs(v - _exact(r, "JS", m)) for m in SHIFTS for v in r.values("JS", TRAINED, at(m))
            ),
            "<=",
            0.02,
        ),
        Claim(
            "D trained: from m = 10 on its minimax gradient is no signal, the largest",
            lambda r: max(map(abs, _values("slope, minimax", TRAINED, FAR)(r))),
            "<=",
            0.01,
        ),
        Claim(
            "D trained: −ln D pushes the right way at every m, the least gradient",
            lambda r: min(_values("slope, −ln D", TRAINED)(r)),
            ">=",
            0.05,
        ),
        Claim(
            "D trained: but not by m, the largest share of it from m = 10 on",
            lambda r: max(v / m for m in FAR for v in r.values("slope, −ln D", TRAINED, at(m))),
            "<=",
            0.5,
        ),
        Claim(
            "D trained with noise: the minimax gradient at m = 30 is alive, the least",
            lambda r: min(_values("slope, minimax", noisy, [FARTHEST])(r)),
            ">=",
            0.01,
        ),
    ]


def _critics() -> list[Claim]:
    return [
        Claim(
            "critic: its gradient is 1 at every m, to 10 %",
            _off("slope of W1", CRITIC, lambda r, m: 1.0),
            "<=",
            0.1,
        ),
        Claim(
            "critic: reads W₁ to 5 % at every m",
            lambda r: max(_values("off the exact W1", CRITIC)(r)),
            "<=",
            0.05,
        ),
        Claim(
            "the slope of a critic with gradient penalty is 1 + m/(2λ), to 5 %",
            lambda r: max(abs(v - 1) for v in r.all("slope over 1 + m/(2λ)", STEEPNESS)),
            "<=",
            0.05,
        ),
        Claim(
            f"so uncorrected it reads too much: W₁ times, at λ = {LAMBDAS[0]:g}, m = {STEEP_SHIFT:g}",
            lambda r: min(r.values("uncorrected, over W1", STEEPNESS, weighted(LAMBDAS[0]))),
            ">=",
            1.9,
        ),
        Claim(
            "corrected it reads W₁ to 5 % with each λ",
            lambda r: max(r.all("off the exact W1", STEEPNESS)),
            "<=",
            0.05,
        ),
        Claim(
            "WGAN-GP's two-sided penalty leaves some critic on a line flat, the least slope over 1 + m/(2λ)",
            lambda r: min(r.all("slope over 1 + m/(2λ)", STEEPNESS_TWO_SIDED)),
            "<=",
            0.5,
            required=False,  # which initial weights have the wrong sign is chance
        ),
    ]


def _plane() -> list[Claim]:
    def less(results: Results) -> float:
        return max(
            found / exact
            for method in ("sliced", "Sinkhorn")
            for setting in PLANAR
            for found, exact in zip(
                results.values("W1", method, setting),
                results.values("W1 by POT", method, setting),
                strict=True,
            )
        )

    return [
        Claim(
            "in the plane: the critic reads POT's W₁ of Gaussians and rings to 5 %",
            lambda r: max(v for s in PLANAR for v in r.values("off the exact W1", "critic", s)),
            "<=",
            0.05,
        ),
        Claim(
            "control: with WGAN-GP's two-sided penalty it is further off where the best critic is not steep",
            lambda r: min(r.values("off the exact W1", TWO_SIDED, "rings, one turned")),
            ">=",
            0.1,
        ),
        Claim("sliced W₁ and the Sinkhorn divergence read less than W₁, at most", less, "<=", 1.0),
    ]
