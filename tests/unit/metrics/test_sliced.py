"""Sliced Wasserstein distance against closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from pushforward.errors import UserError
from pushforward.metrics.sliced import sliced_wasserstein


def test_the_same_points_in_another_order_are_at_distance_0():
    x = torch.randn(50, 2)
    assert sliced_wasserstein(x, x[torch.randperm(50)]) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("shift", [(3.0, 0.0), (-1.0, 2.0)])
def test_a_shift_in_the_plane_scores_its_length_times_two_over_pi(shift):
    x, m = torch.randn(40, 2), torch.tensor(shift)
    assert sliced_wasserstein(x, x + m) == pytest.approx(m.norm().item() * 2 / math.pi, rel=1e-3)


def test_on_a_line_it_is_the_mean_distance_of_sorted_points():
    a, b = torch.tensor([[0.0], [1.0], [5.0]]), torch.tensor([[6.0], [0.0], [3.0]])
    assert sliced_wasserstein(a, b) == pytest.approx((0 + 2 + 1) / 3)


def test_in_many_dimensions_a_shift_scores_its_mean_projection():
    d = 20
    x, m = torch.randn(30, d), torch.zeros(d)
    m[3] = 2.0
    # E|u_1| of a unit vector in d dimensions
    mean = math.exp(math.lgamma(d / 2) - math.lgamma((d + 1) / 2)) / math.sqrt(math.pi)
    assert sliced_wasserstein(x, x + m, lines=20_000) == pytest.approx(2 * mean, rel=0.03)


def test_scaling_both_scales_it():
    a, b = torch.randn(30, 2), torch.rand(30, 2)
    assert sliced_wasserstein(4 * a, 4 * b) == pytest.approx(4 * sliced_wasserstein(a, b), rel=1e-6)


@pytest.mark.parametrize("n", [0, 3])
def test_sides_must_match(n):
    with pytest.raises(UserError, match="expected equal ones"):
        sliced_wasserstein(torch.randn(n, 2), torch.randn(2 if n else 0, 2))
