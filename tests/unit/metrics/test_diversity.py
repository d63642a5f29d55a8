"""Spread, near-duplicates and cells, against what can be computed otherwise."""

from __future__ import annotations

import math

import pytest
import torch

from pushforward.features.pixels import pooled_pixels
from pushforward.metrics.diversity import (
    Cells,
    cells,
    mean_distance,
    near_duplicates,
    nearest_distances,
)


def test_the_mean_distance_of_normal_points_in_the_plane_is_root_pi():
    """X - Y ~ N(0, 2): a Rayleigh length of mean sqrt(2)·sqrt(π/2)."""
    x = torch.randn(200_000, 2, generator=torch.Generator().manual_seed(0))
    assert mean_distance(x) == pytest.approx(math.sqrt(math.pi), rel=0.005)


def test_the_mean_distance_of_equal_or_single_rows_is_zero():
    assert mean_distance(torch.ones(9, 3)) == 0
    assert mean_distance(torch.ones(1, 3)) == 0


def test_nearest_distances():
    x = torch.tensor([[0.0, 0], [3, 4], [3, 5]])
    assert nearest_distances(x).tolist() == pytest.approx([5, 1, 1])


def test_near_duplicates_are_nearer_than_a_quarter_of_the_usual():
    x = torch.tensor([[0.0], [0.24], [1], [2], [2.26]])
    assert near_duplicates(x, usual=1.0) == pytest.approx(0.4)


def test_features_average_images_down_and_leave_points():
    x = torch.arange(2 * 32 * 8, dtype=torch.float32).view(2, 1, 32, 8)
    f = pooled_pixels(x)
    assert f.shape == (2, 16 * 8)
    assert f[0, 0] == (x[0, 0, 0, 0] + x[0, 0, 1, 0]) / 2
    assert torch.equal(pooled_pixels(torch.ones(3, 5)), torch.ones(3, 5))


def test_cells_find_clusters_of_any_weight():
    generator = torch.Generator().manual_seed(0)
    centres = torch.tensor([[0.0, 0], [9, 0], [0, 9]])
    which = torch.tensor([0] * 600 + [1] * 300 + [2] * 100)
    x = centres[which] + 0.1 * torch.randn(1000, 2, generator=generator)
    found = cells(x, 3)
    order = found.weights.argsort(descending=True)
    assert found.weights[order].tolist() == pytest.approx([0.6, 0.3, 0.1])
    assert torch.allclose(found.centres[order], centres, atol=0.05)
    assert found.counts(centres).sum() == 3
    assert torch.equal(cells(x, 3).centres, found.centres)  # the same for the same rows


def test_few_or_equal_rows_make_few_cells():
    assert len(cells(torch.randn(30, 2)).weights) == 1
    equal = cells(torch.ones(100, 2))
    assert equal.weights.tolist() == [1]
    assert isinstance(equal, Cells)
