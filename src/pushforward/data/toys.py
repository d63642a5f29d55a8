"""Procedural sets: mixtures of Gaussians with known modes, and stacked digits. Torch-free.

The settings are those of Srivastava et al., *VEEGAN*, NIPS 2017, and Lin et al., *PacGAN*, NeurIPS 2018.
Every set is the same on every machine: its draws come from a generator that numpy keeps frozen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pushforward.data.arrays import Arrays
from pushforward.data.modes import Modes
from pushforward.data.rows import TEST_SHARE, digest, places

TRAIN, TEST = 100_000, 10_000  # points of ring and grid
HIGH_TRAIN, HIGH_TEST = 20_000, 2_500  # of 1,200 numbers each: 108 MB
STACKS_TRAIN, STACKS_TEST = 25_600, 2_560  # of 3 x 28 x 28 bytes: 66 MB
TRAIN_SEED, TEST_SEED = 0, 1
# Means of the ten modes, each the same in all 1,200 coordinates.
HIGH_MEANS = (-1, -0.5, 0, 0.5, -2, -2.5, 10, 0.25, -13, -5.5)
HIGH_NOISY, HIGH_CONSTANT = 700, 500
CHUNK = 1000  # points made at once


def ring_modes(k: int = 8, *, radius: float = 1.0, sigma: float = 0.01) -> Modes:
    """k Gaussians at the distinct angles 2πi/k of a circle around 0.

    `linspace(0, 2π, k)`, which published code has, names the first angle twice: k - 1 modes.
    """
    angles = 2 * np.pi * np.arange(k) / k
    centres = radius * np.stack([np.cos(angles), np.sin(angles)], 1)
    return Modes("ring", centres, sigma, 2, 3 * sigma, _WITHIN)


def grid_modes(*, sigma: float = 0.05) -> Modes:
    """25 Gaussians on {-4, -2, 0, 2, 4}²."""
    side = np.arange(-4.0, 5.0, 2.0)
    centres = np.stack(np.meshgrid(side, side, indexing="ij"), -1).reshape(-1, 2)
    return Modes("grid", centres, sigma, 2, 3 * sigma, _WITHIN)


def high_modes() -> Modes:
    """Ten Gaussians in 1,200 dimensions: N(μ, 1) in 700 of them, μ without noise in the others.

    VEEGAN calls a sample good "within 10σ" of a mode, yet a true one lies √700 σ ± 0.7 σ away, about 26 σ,
    so that no true one would be. Here the 10 σ count from there: good is ‖x - μ‖₂ ≤ (√700 + 10) σ.
    """
    d = HIGH_NOISY + HIGH_CONSTANT
    centres = np.repeat(np.array(HIGH_MEANS, np.float64)[:, None], d, axis=1)
    rule = "within (√700 + 10) σ of the nearest mode, Euclidean: a true sample lies √700 σ ± 0.7 σ from it"
    return Modes("gaussians-1200d", centres, 1.0, HIGH_NOISY, math.sqrt(HIGH_NOISY) + 10, rule)


_WITHIN = "within 3σ of the nearest mode"


def draw(modes: Modes, n: int, *, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """n points of the mixture, float32 (n, d), and the mode that each came from."""
    random = np.random.RandomState(seed)  # whose stream is promised not to change
    which = random.randint(len(modes), size=n)
    points = modes.centres[which].astype(np.float32)
    for start in range(0, n, CHUNK):
        part = slice(start, min(n, start + CHUNK))
        noise = random.standard_normal((part.stop - start, modes.noisy))
        points[part, : modes.noisy] = modes.centres[which[part], : modes.noisy] + modes.sigma * noise
    return points, which


def points(
    modes: Callable[[], Modes],
    words: Callable[[Modes], Sequence[str]],
    *,
    train: int = TRAIN,
    test: int = TEST,
) -> Callable[[], Arrays]:
    """A maker of training points and, from another seed, held-out ones, labelled by their mode."""

    def make() -> Arrays:
        known = modes()
        parts = [draw(known, n, seed=s) for n, s in ((train, TRAIN_SEED), (test, TEST_SEED))]
        classes = tuple(words(known))
        return Arrays(
            np.concatenate([x for x, _ in parts]),
            [classes[i] for i in np.concatenate([which for _, which in parts])],
            classes,
            np.arange(train + test) >= train,
            modes=known,
        )

    return make


def by_angle(modes: Modes) -> list[str]:
    """ "0°", "45°", ... of modes on a ring."""
    return [f"{math.degrees(math.atan2(y, x)) % 360:.0f}°" for x, y in modes.centres]


def by_place(modes: Modes) -> list[str]:
    """ "(-4, -2)" of modes in the plane."""
    return [f"({x:g}, {y:g})" for x, y in modes.centres]


def by_mean(modes: Modes) -> list[str]:
    """ "0.25" of modes with one mean in all coordinates."""
    return [f"{centre[0]:g}" for centre in modes.centres]


def stacked_digits(digits: Arrays, *, train: int = STACKS_TRAIN, test: int = STACKS_TEST) -> Arrays:
    """Three grey digits as the red, green and blue of one image: 1,000 modes, "000" to "999".

    digits: N H W, labelled "0" to "9". The triples are drawn with replacement and are fixed; a digit that is
    held out by its own content appears in held-out triples alone.
    """
    labels = np.array(list(digits.labels or ()))
    out = places(map(digest, digits.images)) < TEST_SHARE
    parts = []
    for n, rows, seed in (
        (train, np.flatnonzero(~out), TRAIN_SEED),
        (test, np.flatnonzero(out), TEST_SEED),
    ):
        random = np.random.RandomState(seed)  # whose stream is promised not to change
        parts.append(rows[random.randint(len(rows), size=(n, 3))])
    triples = np.concatenate(parts)
    return Arrays(
        digits.images[triples].transpose(0, 2, 3, 1),  # channels lie first in memory, as training wants them
        ["".join(word) for word in labels[triples]],
        tuple(f"{i:03d}" for i in range(1000)),
        np.arange(train + test) >= train,
    )
