"""Expectations, their errors, and the measurement of estimators on draws with known moments."""

from __future__ import annotations

import time

import pytest
import torch
from scipy.stats import binom
from torch.distributions import Independent, Normal

from pushforward.errors import UserError
from pushforward.objectives.estimators import pathwise, score_function
from pushforward.objectives.montecarlo import (
    expectation,
    mean_interval,
    measure_estimator,
    median_interval,
    power_law_slope,
    variance_interval,
)


def gaussian():
    return Normal(torch.tensor([0.5, -1.0], requires_grad=True), torch.tensor(2.0))


def test_an_expectation_comes_with_its_error():
    mean, error = expectation(torch.square, gaussian(), 100_000)
    truth = torch.tensor([4.25, 5.0]).double()  # μ² + σ²
    assert mean.dtype == torch.float64
    assert not mean.requires_grad
    assert ((mean - truth) / error).abs().max() < 4.5
    # Var[x²] = 4μ²σ² + 2σ⁴
    exact = (torch.tensor([36.0, 48.0]).double() / 100_000).sqrt()
    torch.testing.assert_close(error, exact, rtol=0.05, atol=0)


def test_the_error_is_right_as_often_as_it_says():
    """2,000 expectations at once: the 95 % interval covers within 4.5 standard errors of 95 %."""
    many = Normal(torch.zeros(2000), 1.0)
    mean, error = expectation(torch.sin, many, 400)
    covered = (mean.abs() < 1.96 * error).double().mean()
    assert abs(covered - 0.95) < 4.5 * (0.95 * 0.05 / 2000) ** 0.5


def test_expectation_refuses_one_draw_and_a_wrong_shape():
    with pytest.raises(UserError, match="n: given 1, expected at least 2"):
        expectation(torch.square, gaussian(), 1)
    with pytest.raises(UserError, match=r"f: returned shape \(5,\), expected \(5, 2\)"):
        expectation(lambda z: z.sum(-1), gaussian(), 5)


def test_the_variance_of_an_estimate_falls_as_one_over_n():
    dist = gaussian()
    counts = [1, 4, 16, 64]
    variances = [
        measure_estimator(
            lambda n: score_function(torch.sin, n, dist, jacobians=True), samples=n, repeats=400
        )
        .variance["loc"]
        .value.mean()
        .item()
        for n in counts
    ]
    slope, error = power_law_slope(counts, variances)
    assert slope == pytest.approx(-1, abs=0.1)
    assert error < 0.1


def test_a_slope_is_exact_on_a_law_and_refuses_less_than_two_points():
    assert power_law_slope([1, 10, 1000], [5.0, 0.5, 0.005]) == pytest.approx((-1, 0), abs=1e-12)
    for n, y in (([1], [1.0]), ([1, 2], [1.0]), ([1, 2], [1.0, 0.0])):
        with pytest.raises(UserError, match="n, y: given"):
            power_law_slope(n, y)


def test_bias_and_variance_of_a_known_estimator():
    """x² by a pathwise draw: gradient 2(μ + σε), mean 2μ, variance 4σ²; a wrong oracle shows as bias."""
    dist = gaussian()
    measured = measure_estimator(
        lambda n: pathwise(torch.square, n, dist, jacobians=True),
        samples=20_000,
        repeats=2,
        per_sample=True,
        oracle={"loc": torch.tensor([1.0, -3.0])},
    )
    bias = measured.bias["loc"]
    assert abs(bias.value[0]) < 4.5 * bias.standard_error[0]
    assert bias.value[1].item() == pytest.approx(1, abs=0.1)
    assert not bias.contains(0.0)
    torch.testing.assert_close(
        measured.variance["loc"].value, torch.full((2,), 16.0).double(), rtol=0.05, atol=0
    )
    assert measure_estimator(lambda n: pathwise(torch.square, n, dist, jacobians=True), repeats=2).bias == {}


def test_intervals_of_moments_cover_as_often_as_they_say():
    x = torch.randn(300, 2000, dtype=torch.float64) * 2
    for interval, truth in ((mean_interval(x), 0.0), (variance_interval(x), 4.0)):
        covered = ((interval.low <= truth) & (truth <= interval.high)).double().mean().item()
        assert 0.92 < covered < 0.97


def test_the_cost_is_the_time_per_draw():
    dist = Independent(gaussian(), 1)

    def slow(n):
        time.sleep(0.004)
        return pathwise(lambda z: z.sum(-1), n, dist, jacobians=True)

    cost = measure_estimator(slow, samples=4, repeats=9).seconds_per_sample
    assert 0.001 <= cost.low <= cost.value <= cost.high
    assert cost.value < 0.02


def test_the_median_lies_between_its_order_statistics():
    interval = median_interval(torch.arange(101.0).double())
    assert (interval.low, interval.value, interval.high) == (40, 50, 60)
    for n in (5, 6, 9, 10, 17, 30, 101, 400):
        interval = median_interval(torch.arange(n).double())
        rank = int(interval.low)
        assert interval.high == n - 1 - rank
        assert rank == 0 or binom.cdf(rank, n, 0.5) <= 0.025  # covers at least 95 %
        assert binom.cdf(rank + 1, n, 0.5) > 0.025  # and no rank further in does
    assert median_interval(torch.tensor([3.0]).double()).low == 3


def test_too_little_to_measure_is_refused():
    dist = gaussian()
    with pytest.raises(UserError, match="repeats: given 1, expected at least 2"):
        measure_estimator(lambda n: pathwise(torch.square, n, dist, jacobians=True), repeats=1)
    with pytest.raises(UserError, match=r"estimate: returned no jacobians; call .* jacobians=True"):
        measure_estimator(lambda n: pathwise(torch.square, n, dist), repeats=2)
