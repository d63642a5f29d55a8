"""Transport between small sets against enumeration, and what has to hold for sets of any size."""

from __future__ import annotations

import math
from itertools import permutations

import ot
import pytest
import torch

from pushforward.errors import UserError
from pushforward.objectives.divergences import (
    distances,
    optimal_plan,
    sinkhorn_divergence,
    sliced_w1,
    w1_line,
    w1_samples,
)

DOUBLE = torch.float64


def points(n: int, d: int = 2, at: float = 0.0) -> torch.Tensor:
    return torch.randn(n, d, dtype=DOUBLE) + at


def test_w1_is_the_cheapest_of_all_pairings():
    x, y = points(6), points(6, at=0.5)
    cheapest = min(sum((x[i] - y[j]).norm() for i, j in enumerate(order)) for order in permutations(range(6)))
    torch.testing.assert_close(w1_samples(x, y), cheapest / 6)


def test_w1_of_sets_of_different_sizes_is_that_of_repeated_points():
    x, y = points(3), points(4, at=1.0)
    torch.testing.assert_close(w1_samples(x, y), w1_samples(x.repeat(4, 1), y.repeat(3, 1)))


@pytest.mark.parametrize(("n", "m"), [(40, 40), (40, 25)])
def test_on_a_line_sorting_is_pots_answer(n, m):
    x, y = points(n, 1), points(m, 1, at=0.3)
    line = torch.stack([torch.zeros(n, dtype=DOUBLE), x[:, 0]], dim=1)
    other = torch.stack([torch.zeros(m, dtype=DOUBLE), y[:, 0]], dim=1)
    torch.testing.assert_close(w1_samples(x, y), w1_samples(line, other))
    torch.testing.assert_close(w1_line(x.T, y.T), w1_samples(x, y)[None])


def test_the_gradient_of_w1_is_that_of_its_plan():
    x, y = points(30).requires_grad_(), points(20, at=2.0)
    (slope,) = torch.autograd.grad(w1_samples(x, y), x)
    step = 1e-6 * torch.randn_like(x)
    with torch.no_grad():
        change = (w1_samples(x + step, y) - w1_samples(x - step, y)) / 2
    assert (slope * step).sum().item() == pytest.approx(change.item(), rel=1e-6)


def test_a_shift_far_away_costs_its_length_and_a_shift_of_both_nothing():
    x, y = points(50), points(50, at=1.0)
    shift = torch.tensor([30.0, 40.0], dtype=DOUBLE)
    torch.testing.assert_close(w1_samples(x, x + shift).item(), 50.0)
    torch.testing.assert_close(w1_samples(x + shift, y + shift), w1_samples(x, y))


def test_a_plan_takes_each_mass_to_its_place():
    a, b = torch.tensor([0.2, 0.8]), torch.tensor([0.5, 0.25, 0.25])
    plan = optimal_plan(a, b, torch.tensor([[1.0, 0.0, 9.0], [1.0, 5.0, 1.0]]))
    torch.testing.assert_close(plan.sum(1), a)
    torch.testing.assert_close(plan.sum(0), b)
    torch.testing.assert_close(plan, torch.tensor([[0.0, 0.2, 0.0], [0.5, 0.05, 0.25]]))


def test_sliced_w1_is_below_w1_and_known_for_a_shift():
    x, y = points(200), points(150, at=0.7) * 1.5
    assert 0.2 < sliced_w1(x, y) < w1_samples(x, y)
    shift = torch.tensor([3.0, 0.0], dtype=DOUBLE)
    assert sliced_w1(x, x + shift, projections=5000).item() == pytest.approx(3 * 2 / math.pi, rel=0.03)


def test_sliced_w1_on_a_line_is_w1():
    x, y = points(30, 1), points(20, 1, at=1.0)
    torch.testing.assert_close(sliced_w1(x, y, projections=3), w1_samples(x, y))


def test_the_entropic_transport_is_pots():
    x, y = points(20), points(15, at=1.0)
    entropic = 0.0
    for u, v, sign in ((x, y, 1.0), (x, x, -0.5), (y, y, -0.5)):
        cost = distances(u, v)
        a, b = (torch.full((k,), 1 / k, dtype=DOUBLE) for k in cost.shape)
        plan = ot.sinkhorn(a, b, cost, 0.3, method="sinkhorn_log", numItermax=10_000, stopThr=1e-12)
        divergence = (plan * (plan / (a[:, None] * b)).log()).sum()
        entropic += sign * ((plan * cost).sum() + 0.3 * divergence)
    ours = sinkhorn_divergence(x, y, epsilon=0.3, tolerance=1e-9)
    torch.testing.assert_close(ours, entropic)


def test_sinkhorn_goes_from_w1_to_the_energy_distance_and_is_zero_for_equal_sets():
    x, y = points(40), points(40, at=1.0)
    near = sinkhorn_divergence(x, y, epsilon=0.01, iterations=20_000)
    assert near.item() == pytest.approx(w1_samples(x, y).item(), rel=0.02)
    energy = distances(x, y).mean() - distances(x, x).mean() / 2 - distances(y, y).mean() / 2
    assert sinkhorn_divergence(x, y, epsilon=1e4).item() == pytest.approx(energy.item(), rel=1e-3)
    assert abs(sinkhorn_divergence(x, x[torch.randperm(40)], epsilon=0.1).item()) < 1e-6


def test_the_gradient_of_sinkhorn_is_its_slope():
    x, y = points(20).requires_grad_(), points(15, at=1.0)
    options = {"epsilon": 0.3, "tolerance": 1e-10}
    (slope,) = torch.autograd.grad(sinkhorn_divergence(x, y, **options), x)
    step = 1e-5 * torch.randn_like(x)
    with torch.no_grad():
        change = sinkhorn_divergence(x + step, y, **options) - sinkhorn_divergence(x - step, y, **options)
    assert (slope * step).sum().item() == pytest.approx(change.item() / 2, rel=1e-5)


def test_equal_points_are_at_no_distance_in_float32():
    x = torch.randn(100, 2) + 1000
    assert distances(x, x).diagonal().max() == 0


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: w1_samples(points(0), points(3)), "^x: no points; expected at least one"),
        (lambda: sliced_w1(points(3), points(0)), "^y: no points"),
        (lambda: sinkhorn_divergence(points(3), points(3), epsilon=0.0), r"^epsilon: 0\.0; expected a posit"),
        (
            lambda: sinkhorn_divergence(points(30), points(30), epsilon=1e-3, iterations=20),
            "^iterations: 20 did not suffice at epsilon = 0.001; take more of them, or a larger epsilon",
        ),
        (
            lambda: optimal_plan(torch.ones(2), torch.ones(3), torch.ones(2, 3)),
            "^b: holds a mass of 3; expected that of a, 2$",
        ),
    ],
)
def test_what_cannot_be_is_said(wrong, words):
    with pytest.raises(UserError, match=words):
        wrong()
