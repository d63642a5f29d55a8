"""What is checked: eigenvalues against autograd, and each way of playing against what they say."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from pushforward.experiments.convergence import (
    ABOVE,
    ABOVE_ALTERNATING,
    BELOW,
    CLIP,
    GAMES,
    HOW,
    H,
    cells,
)
from pushforward.experiments.harness.experiment import Budget, Claim, Results

END, LEAST, RATE, BY_EIGENVALUES = "distance at the end", "least", "rate", "rate by eigenvalues"
CIRCLING = ("GAN", "WGAN", "GAN, two time scales", "WGAN, two time scales", "WGAN, noise")
UNDAMPED = ("GAN, −ln D", *CIRCLING)
CONVERGING = ("GAN, noise", "GAN, R1", "WGAN, R1", "R3GAN", "GAN, R1, two time scales")
SLOW = "GAN, −ln D"
CYCLE, WRONG_PLACE, CLIPPED = "WGAN-GP, λ = 0.5", "WGAN-GP, λ = 10", "WGAN, clipped"


def all_claims(budget: Budget) -> list[Claim]:
    """All claims of the experiment."""
    duration = H * cells(budget, [0])[0].options["steps"]
    return [*_mathematics(), *_circling(), *_slow(duration), *_converging(), *_wasserstein()]


def _every(figure: str, games: Sequence[str], how: Sequence[str] = HOW) -> Callable[[Results], list[float]]:
    return lambda results: [v for game in games for way in how for v in results.values(figure, game, way)]


def _off(expected: float, values: Callable[[Results], list[float]]) -> Callable[[Results], float]:
    """The largest relative distance to what is expected."""
    return lambda results: max(abs(v / expected - 1) for v in values(results))


def _mathematics() -> list[Claim]:
    return [
        Claim(
            "the vector fields are those of the package's losses and penalties (float32 in penalties)",
            lambda r: max(r.all("field off autograd's")),
            "<=",
            1e-5,
        ),
        Claim(
            "eigenvalues in closed form, of fields and of steps, are autograd's",
            lambda r: max(r.all("eigenvalues off autograd's")),
            "<=",
            1e-6,
        ),
        Claim(
            "GAN, −ln D and WGAN, two time scales or noise (WGAN) included: no eigenvalue has a real part",
            lambda r: max(map(abs, _every("real part", UNDAMPED)(r))),
            "<=",
            1e-12,
        ),
        Claim(
            "noise (GAN) and R1 (all): every eigenvalue has a negative one",
            lambda r: max(_every("real part", CONVERGING)(r)),
            "<=",
            -0.2,
        ),
    ]


def _circling() -> list[Claim]:
    return [
        Claim(
            "the flow of GAN and WGAN, two time scales or noise (WGAN) included, keeps its distance, to 1 %",
            _off(1.0, _every(END, CIRCLING, ["flow"])),
            "<=",
            0.01,
        ),
        Claim(
            "alternating steps keep it to 10 %",
            _off(1.0, _every(END, CIRCLING, ["alternating"])),
            "<=",
            0.1,
        ),
        Claim(
            "simultaneous steps drift away, two time scales or not: the least distance at the end",
            lambda r: min(_every(LEAST, CIRCLING, ["simultaneous"])(r)),
            ">=",
            1.5,
        ),
    ]


def _slow(duration: float) -> list[Claim]:
    return [
        Claim(
            "−ln D: in the flow and by alternating steps it falls as √(8/t), to 5 %",
            _off(math.sqrt(8 / duration), _every(END, [SLOW], ["flow", "alternating"])),
            "<=",
            0.05,
        ),
        Claim(
            "−ln D: by simultaneous steps it ends on a circle of radius √(2h), to 5 %",
            _off(math.sqrt(2 * H), _every(END, [SLOW], ["simultaneous"])),
            "<=",
            0.05,
        ),
    ]


def _converging() -> list[Claim]:
    def rate_off(results: Results) -> float:
        pairs = zip(
            _every(RATE, CONVERGING)(results), _every(BY_EIGENVALUES, CONVERGING)(results), strict=True
        )
        return max(abs(a / b - 1) for a, b in pairs)

    def faster(results: Results) -> float:
        one, two = "GAN, R1", "GAN, R1, two time scales"
        return min(results.mean(RATE, two, how) / results.mean(RATE, one, how) for how in HOW)

    return [
        Claim(
            "noise (GAN) and R1 (all) converge, however they are played: the distance at the end",
            lambda r: max(_every(END, CONVERGING)(r)),
            "<=",
            1e-12,
        ),
        Claim("and at the rate that the eigenvalues say, to 5 %", rate_off, "<=", 0.05),
        Claim("with R1, a critic ten times as fast makes that rate", faster, ">=", 2.0),
        Claim(
            "R1 by simultaneous steps: 10 % below the largest step it converges",
            lambda r: max(r.values(END, "GAN, R1", BELOW)),
            "<=",
            1e-6,
        ),
        Claim(
            "10 % above it does not",
            lambda r: min(r.values(LEAST, "GAN, R1", ABOVE)),
            ">=",
            1.5,
        ),
        Claim(
            "and there alternating steps still do",
            lambda r: max(r.values(END, "GAN, R1", ABOVE_ALTERNATING)),
            "<=",
            1e-6,
        ),
    ]


def _wasserstein() -> list[Claim]:
    penalty = GAMES[WRONG_PLACE].lambda_
    return [
        Claim(
            f"WGAN with clipping: flow and alternating steps end at a distance of the clip, {CLIP:g}, to 5 %",
            _off(CLIP, _every(END, [CLIPPED], ["flow", "alternating"])),
            "<=",
            0.05,
        ),
        Claim(
            "WGAN-GP, λ = 0.5 ends on a cycle that stays away from the equilibrium",
            lambda r: min(_every(LEAST, [CYCLE])(r)),
            ">=",
            1.0,
        ),
        Claim(
            "WGAN-GP, λ = 10 comes to rest 2λ away from the data, to 1 %",
            _off(2 * penalty, _every("|θ| at the end", [WRONG_PLACE])),
            "<=",
            0.01,
        ),
    ]
