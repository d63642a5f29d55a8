"""What is checked: nothing is lost by invertible transforms, and what is lost otherwise."""

from __future__ import annotations

from collections.abc import Iterable

from pushforward.experiments.dag_theory import (
    ALIKE,
    ALONE,
    CLASSICAL,
    DAG,
    GAN,
    GRADIENTS,
    INVERTIBLE,
    LARGE,
    LOSSY,
    NETWORKS,
    PLANE,
    SHADOW,
    SMALL,
    TURNED,
    WEIGHED,
    named,
    of_kind,
    plane,
    size,
)
from pushforward.experiments.harness.experiment import Claim, Results

LOSSLESS = [(n, size(s)) for s in (SMALL, LARGE) for n, t in named(s).items() if t.invertible]
LOSSES = [(n, size(LARGE)) for n, t in named(LARGE).items() if not t.invertible]
IN_PLANE = [(n, PLANE) for n in plane.MAPS]
TURNS = [(ALIKE, f"{TURNED}, {size(s)}") for s in (SMALL, LARGE)]
ONE_HEAD = [
    (m, of_kind(k, s))
    for m in (ALIKE, WEIGHED)
    for s, kinds in ((SMALL, INVERTIBLE), (LARGE, INVERTIBLE + LOSSY))
    for k in kinds
]
Places = Iterable[tuple[str, str]]


def every(results: Results, figure: str, places: Places) -> list[float]:
    """The figure of each seed at each (method, setting)."""
    return [v for method, setting in places for v in results.values(figure, method, setting)]


def optima(method: str, kinds: Iterable[str]) -> list[tuple[str, str]]:
    """Where the optimum of a loss was sought."""
    return [(f"optimum, {method}", of_kind(k, SMALL if k in INVERTIBLE else LARGE)) for k in kinds]


def _apart(results: Results, places: Places) -> float:
    pairs = zip(every(results, "JS", places), every(results, "JS seen", places), strict=True)
    return max(abs(a - b) for a, b in pairs)


def all_claims() -> list[Claim]:
    """All claims of the experiment."""
    return [*_transforms(), *_one_head(), *_optima(), *_gradients()]


def _transforms() -> list[Claim]:
    both = [*LOSSLESS, *IN_PLANE]
    return [
        Claim(
            "rotations and flips of the library are undone to the last bit",
            lambda r: max(every(r, "undone, off", LOSSLESS)),
            "<=",
            0.0,
        ),
        Claim(
            "invertible T: JS of T(x) and T(G(z)) is that of x and G(z)",
            lambda r: _apart(r, both),
            "<=",
            1e-12,
        ),
        Claim(
            "invertible T: the best head says of T(x) what the best critic says of x",
            lambda r: max(every(r, "critics apart", both)),
            "<=",
            1e-12,
        ),
        Claim(
            "crops and shifts keep less, the most of JS that one keeps",
            lambda r: max(every(r, "kept", [*LOSSES, (SHADOW, PLANE)])),
            "<=",
            0.5,
        ),
    ]


def _one_head() -> list[Claim]:
    return [
        Claim(
            "one head for all transforms never sees more than JS, the most that it keeps",
            lambda r: max(every(r, "kept", [*ONE_HEAD, (ALIKE, PLANE)])),
            "<=",
            0.95,
        ),
        Claim(
            "one head, all transforms alike, cannot tell data from turned data: the JS that it sees",
            lambda r: max(map(abs, every(r, "JS seen", TURNS))),
            "<=",
            1e-12,
        ),
        Claim("though these are far apart, the least JS", lambda r: min(every(r, "JS", TURNS)), ">=", 0.02),
    ]


def _optima() -> list[Claim]:
    def farthest(method: str, kinds: Iterable[str] = INVERTIBLE) -> Claim:
        what = "invertible T" if kinds == INVERTIBLE else "any T"
        return Claim(
            f"{method}, {what}: its optimum over all q is the data, the largest TV",
            lambda r: max(every(r, "TV to the data", optima(method, kinds))),
            "<=",
            1e-4,
        )

    def nearest(method: str, kinds: Iterable[str], words: str, bound: float = 0.05) -> Claim:
        return Claim(
            f"{method}: {words}, the least TV",
            lambda r: min(every(r, "TV to the data", optima(method, kinds))),
            ">=",
            bound,
        )

    return [
        Claim(
            "control: the plain GAN's optimum is found, the largest TV",
            lambda r: max(every(r, "TV to the data", [(f"optimum, {GAN}", size(s)) for s in (SMALL, LARGE)])),
            "<=",
            1e-4,
        ),
        farthest(DAG, INVERTIBLE + LOSSY),
        farthest(ALONE),
        farthest(WEIGHED),
        nearest(CLASSICAL, INVERTIBLE + LOSSY, "augmented data move the optimum"),
        nearest(ALIKE, INVERTIBLE, "its optimum is far from the data"),
        nearest(ALONE, LOSSY, "without the image itself, crops or shifts leave much open"),
        Claim(
            f"{ALIKE}: and yet its loss there is least, as if all were well",
            lambda r: max(every(r, "loss left", optima(ALIKE, INVERTIBLE))),
            "<=",
            1e-10,
        ),
    ]


def _gradients() -> list[Claim]:
    def least(figure: str, kinds: Iterable[str]) -> list[tuple[str, str]]:
        return [(GRADIENTS, of_kind(k, LARGE)) for k in kinds]

    return [
        Claim(
            "best critics, invertible T: each head's gradient is the GAN's own, how far from it",
            lambda r: max(
                abs(v - 1) for f in ("least cosine", "least size") for v in every(r, f, least(f, INVERTIBLE))
            ),
            "<=",
            1e-9,
        ),
        Claim(
            "best critics, crops and shifts: each points the GAN's way too, the least cosine",
            lambda r: min(every(r, "least cosine", least("least cosine", LOSSY))),
            ">=",
            0.05,
        ),
        Claim(
            "networks: no head's term leaves the generator without a gradient, the least over the first's",
            lambda r: min(every(r, "least size", [(NETWORKS, k) for k in INVERTIBLE + LOSSY])),
            ">=",
            0.01,
        ),
    ]
