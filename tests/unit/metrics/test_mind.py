"""MIND against closed forms, and its error against repeated draws."""

from __future__ import annotations

import pytest
import torch

from pushforward.errors import UserError
from pushforward.metrics.mind import mind


def test_a_shift_adds_three_times_its_square():
    """E (u·v)² = ‖v‖²/d over the sphere, for any points."""
    x, v = torch.randn(50, 6), torch.tensor([1.0, 0, 2, 0, 0, 2])
    told = mind(x, x + v, lines=20_000)
    assert told.value == pytest.approx(3 * 9, rel=0.03)
    assert mind(x, x).value == 0


def test_a_scale_of_gaussians_is_its_square():
    """W₂ of N(0, 1) and N(0, s²) is |s - 1| along every line: 3 d (s - 1)²."""
    a, b = torch.randn(20_000, 4), 3 * torch.randn(20_000, 4)
    assert mind(a, b).value == pytest.approx(3 * 4 * 4, rel=0.03)


def test_it_is_symmetric_the_same_for_the_same_seed_and_blind_to_the_order_of_rows():
    a, b = torch.randn(60, 5), torch.randn(60, 5) + 0.3
    assert mind(a, b).value == pytest.approx(mind(b, a).value, rel=1e-5)
    assert mind(a, b) == mind(a, b)
    assert mind(a.flip(0), b).value == pytest.approx(mind(a, b).value, rel=1e-5)
    assert mind(a + 50, b + 50).value == pytest.approx(mind(a, b).value, rel=1e-3)
    assert mind(torch.cat([a, torch.zeros(9, 5)]), b).value == mind(a, b).value  # as many as the other side


def test_its_error_is_that_of_repeated_draws():
    told = [
        mind(torch.randn(200, 3), 1.5 * torch.randn(200, 3) + 0.7, lines=64, seed=seed) for seed in range(80)
    ]
    values, errors = (torch.tensor([getattr(t, k) for t in told]) for k in ("value", "standard_error"))
    assert errors.mean().item() == pytest.approx(values.std().item(), rel=0.25)


def test_bad_input_is_one_line():
    with pytest.raises(UserError, match="`lines`: 1"):
        mind(torch.randn(20, 2), torch.randn(20, 2), lines=1)
    with pytest.raises(UserError, match="`b`: 3 features, and 2 of a"):
        mind(torch.randn(20, 2), torch.randn(20, 3))
