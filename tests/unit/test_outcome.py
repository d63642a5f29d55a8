"""A measured mean and its interval, against their definitions."""

from __future__ import annotations

import math

import pytest
import torch

from pushforward.evaluation.outcome import Metric, mean_metric


def mean(values: torch.Tensor) -> Metric:
    return mean_metric("m", values, "nats")


def test_the_mean_and_its_interval():
    values = torch.tensor([1.0, 2.0, 3.0, 4.0])
    estimate = mean(values)
    assert estimate.value == pytest.approx(2.5)
    assert estimate.ci95 == pytest.approx(1.96 * math.sqrt(5 / 3) / 2, rel=1e-4)


def test_the_interval_covers_the_mean_nineteen_times_of_twenty():
    hits = [abs(e.value) <= e.ci95 for e in (mean(row) for row in torch.randn(2000, 200))]
    assert sum(hits) / len(hits) == pytest.approx(0.95, abs=0.02)


def test_single_precision_values_are_averaged_in_double():
    values = torch.full((10_000,), 1e6) + torch.arange(10_000) % 2
    assert mean(values).value == pytest.approx(1e6 + 0.5, abs=1e-6)


def test_one_value_has_no_interval():
    estimate = mean(torch.tensor([3.0]))
    assert estimate.value == 3.0
    assert estimate.ci95 is None
