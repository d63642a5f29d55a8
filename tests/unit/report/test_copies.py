"""The nearest training images of samples: copies come first, with the ratio 0."""

from __future__ import annotations

import pytest

from pushforward.data import load_dataset
from pushforward.models.model import Model
from pushforward.report.copies import SHOWN, nearest_pairs
from tests.stubs import Player


def pairs(noise: float, rows: slice):
    data = load_dataset("digits", image_size=16)
    algorithm = Player(data.x[rows], noise)
    model = Model(algorithm, {"method": "gan", "shape": data.shape, "step": 0})
    return nearest_pairs(model, data.x[:500])


def test_copies_are_told_from_other_images():
    copied, others = pairs(0.0, slice(100, 400)), pairs(0.0, slice(600, 900))
    assert len(copied) == len(others) == SHOWN
    assert all(pair.ratio == pytest.approx(0, abs=1e-3) for pair in copied)
    assert all(pair.ratio > 0.1 for pair in others)
    assert [pair.ratio for pair in others] == sorted(pair.ratio for pair in others)


def test_too_few_training_images_show_nothing():
    data = load_dataset("digits", image_size=16)
    model = Model(Player(data.x[:20]), {"method": "gan", "shape": data.shape, "step": 0})
    assert nearest_pairs(model, data.x[:5]) == []
