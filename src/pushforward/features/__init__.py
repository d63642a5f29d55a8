"""What distances between sets of images are taken on: pixels, and a classifier of digits."""

from __future__ import annotations

from pushforward.features.digits import Classifier, train_classifier, triples
from pushforward.features.pixels import pixel_components, pooled_pixels

__all__ = [
    "Classifier",
    "pixel_components",
    "pooled_pixels",
    "train_classifier",
    "triples",
]
