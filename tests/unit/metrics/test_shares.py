"""The interval of a share: its coverage by enumeration, and its ends."""

from __future__ import annotations

import pytest
from scipy.stats import binom

from pushforward.metrics.shares import wilson


@pytest.mark.parametrize("n", [20, 200, 2500])
@pytest.mark.parametrize("p", [0.001, 0.03, 0.5, 0.989])
def test_it_covers_about_as_often_as_it_says(n, p):
    inside = [low <= p <= high for low, high in (wilson(k / n, n) for k in range(n + 1))]
    covered = sum(binom.pmf(k, n, p) for k, hit in enumerate(inside) if hit)
    assert covered > 0.9


def test_it_is_no_point_at_the_ends():
    assert wilson(0.0, 2500) == (0.0, pytest.approx(0.001534, abs=1e-5))
    assert wilson(1.0, 2500) == (pytest.approx(1 - 0.001534, abs=1e-5), 1.0)
