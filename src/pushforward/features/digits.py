"""Digits that a generator never saw, and the numbers that stacked ones spell."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from pushforward.data import Dataset
from pushforward.data.rows import digests
from pushforward.errors import UserError
from pushforward.features.classifier import Classifier


def unseen(digits: Dataset, seen: Dataset) -> Dataset:
    """The digits that are not among those seen."""
    known = set(digests(seen.x.numpy()))
    marks = digests(digits.x.numpy())
    rows = [i for i, mark in enumerate(marks) if mark not in known]
    if not rows:
        raise UserError("digits: all of them were seen; give others too")
    return digits.subset(rows)


def triples(classifier: Classifier, images: Float[Tensor, "n 3 h w"]) -> Int[Tensor, " n"]:
    """The number from 0 to 999 that the red, green and blue digits of each image spell."""
    red, green, blue = (classifier(images[:, c : c + 1]) for c in range(3))
    return 100 * red + 10 * green + blue
