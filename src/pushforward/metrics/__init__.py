"""Samples, features or log-likelihoods to numbers, as pure functions.

Linear algebra is in double. `metrics.coverage.coverage`, `metrics.mind.mind` and the like keep their place:
a module cannot lend its own name. `metrics.table.MEASURES` has all that take features, with what each asks.
"""

from __future__ import annotations

from pushforward.metrics.coverage import Coverage
from pushforward.metrics.diversity import Cells, cells, mean_distance, near_duplicates, nearest_distances
from pushforward.metrics.frechet import extrapolated_frechet, frechet_distance, frechet_from_moments, moments
from pushforward.metrics.images import class_entropy, sharpness
from pushforward.metrics.kernel import gaussian_mmd, kid
from pushforward.metrics.likelihood import bits_per_dimension
from pushforward.metrics.memorisation import authenticity, birthday, closer_to_train
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
from pushforward.metrics.table import MEASURES, Sets

__all__ = [
    "MEASURES",
    "Cells",
    "Coverage",
    "ModeStatistics",
    "Sets",
    "authenticity",
    "birthday",
    "bits_per_dimension",
    "cells",
    "class_entropy",
    "closer_to_train",
    "extrapolated_frechet",
    "frechet_distance",
    "frechet_from_moments",
    "gaussian_mmd",
    "histogram_kl",
    "kid",
    "label_statistics",
    "mean_distance",
    "mean_squared_distance",
    "mean_squared_error",
    "mixture_log_prob",
    "mode_statistics",
    "moments",
    "near_duplicates",
    "nearest_distances",
    "perfect_found",
    "perfect_kl",
    "perfect_quality",
    "sharpness",
    "sliced_wasserstein",
]
