"""Samples, features or log-likelihoods to numbers, as pure functions.

Linear algebra is in double. `metrics.coverage.coverage` keeps its place: a module cannot lend its own name.
"""

from __future__ import annotations

from pushforward.metrics.coverage import Coverage
from pushforward.metrics.diversity import Cells, cells, mean_distance, near_duplicates, nearest_distances
from pushforward.metrics.frechet import frechet_distance
from pushforward.metrics.likelihood import bits_per_dimension
from pushforward.metrics.modes import (
    ModeStatistics,
    histogram_kl,
    label_statistics,
    mixture_log_prob,
    mode_statistics,
    perfect_found,
    perfect_kl,
    perfect_quality,
)
from pushforward.metrics.pixels import mean_squared_distance, mean_squared_error
from pushforward.metrics.sliced import sliced_wasserstein

__all__ = [
    "Cells",
    "Coverage",
    "ModeStatistics",
    "bits_per_dimension",
    "cells",
    "frechet_distance",
    "histogram_kl",
    "label_statistics",
    "mean_distance",
    "mean_squared_distance",
    "mean_squared_error",
    "mixture_log_prob",
    "mode_statistics",
    "near_duplicates",
    "nearest_distances",
    "perfect_found",
    "perfect_kl",
    "perfect_quality",
    "sliced_wasserstein",
]
