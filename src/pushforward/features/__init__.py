"""What distances between sets of images are taken on: learned and random features, a classifier's, pixels."""

from __future__ import annotations

from pushforward.features.cache import cached_features
from pushforward.features.classifier import Classifier, classifier_features, train_classifier
from pushforward.features.digits import triples, unseen
from pushforward.features.extractor import FeatureExtractor
from pushforward.features.pixels import pixel_components, pooled_pixels
from pushforward.features.table import find_extractor, judge

__all__ = [
    "Classifier",
    "FeatureExtractor",
    "cached_features",
    "classifier_features",
    "find_extractor",
    "judge",
    "pixel_components",
    "pooled_pixels",
    "train_classifier",
    "triples",
    "unseen",
]
