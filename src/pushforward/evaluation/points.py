"""How samples lie beside held-out points, and which modes of a known mixture they find."""

from __future__ import annotations

from typing import Any

import torch

from pushforward.data import Dataset
from pushforward.evaluation.outcome import Effort, Metric, Outcome, Skipped
from pushforward.metrics.modes import (
    ModeStatistics,
    mode_statistics,
    perfect_found,
    perfect_kl,
    perfect_quality,
)
from pushforward.metrics.shares import wilson
from pushforward.metrics.sliced import sliced_wasserstein
from pushforward.models.model import Model

SAMPLES = 2500  # as many as VEEGAN and PacGAN count modes by


def modes(model: Model, data: Dataset, effort: Effort) -> Outcome:
    """Modes found, the share of samples of high quality, and how unevenly they fall on the modes."""
    known = effort.reference.modes
    if known is None:
        return Outcome(skipped=[Skipped(name, "the modes of these points are not known") for name in MODES])
    samples = model.sample(SAMPLES, seed=effort.seed)
    counted = mode_statistics(samples, torch.from_numpy(known.centres), radius=known.radius)
    quality = perfect_quality(known.radius, known.sigma, known.noisy)
    outcome = counts(counted, SAMPLES, quality)
    low, high = wilson(counted.quality, SAMPLES)
    error = max(high - counted.quality, counted.quality - low)
    outcome.metrics.insert(
        1,
        Metric(
            name="high_quality",
            value=100 * counted.quality,
            ci95=100 * error,
            floor=100 * quality,
            unit=f"% of {SAMPLES:,} samples",
            higher_is_better=True,
        ),
    )
    outcome.notes.append(f"high quality: {known.rule}")
    return outcome


def counts(counted: ModeStatistics, n: int, quality: float = 1.0, *, rows: int | None = None) -> Outcome:
    """Modes found and the reverse KL, beside what n draws of the data itself have on average.

    rows: of a training set that was drawn itself, and so is not even: who draws from it does no better.
    """
    k = len(counted.nearest)
    return Outcome(
        [
            Metric(
                name="modes",
                value=float(counted.found),
                floor=perfect_found(k, n, quality),
                unit=f"of {k:,}",
                higher_is_better=True,
            ),
            Metric(
                name="reverse_kl",
                value=counted.reverse_kl,
                floor=perfect_kl(k, n) + (perfect_kl(k, rows) if rows else 0.0),
                unit="nats",
                higher_is_better=False,
            ),
        ],
        detail={
            "samples_per_mode": counted.nearest.double().tolist(),
            "high_quality_per_mode": counted.good.double().tolist(),
        },
    )


MODES = ("modes", "high_quality", "reverse_kl")


def distance(model: Model, data: Dataset, effort: Effort) -> Outcome:
    """Sliced W1 from samples to points of the reference, beside that between two parts of the reference."""
    points = effort.reference.x
    n = min(SAMPLES, len(points) // 2)
    chosen = points[torch.randperm(len(points))[: 2 * n]]
    samples: Any = model.sample(n, seed=effort.seed)
    value = Metric(
        name="sliced_wasserstein",
        value=sliced_wasserstein(samples, chosen[:n]),
        floor=sliced_wasserstein(chosen[n:], chosen[:n]),
        unit="data units",
        higher_is_better=False,
        features="points",
    )
    return Outcome([value])
