"""Summaries of log-likelihoods against their definitions."""

from __future__ import annotations

import math

import pytest
import torch

from pushforward.distributions import LEVEL_WIDTH
from pushforward.metrics.likelihood import bits_per_dimension, mean_interval


def test_uniform_eight_bit_images_cost_eight_bits():
    d = 3 * 8 * 8
    as_mass = d * math.log(1 / 256)
    assert bits_per_dimension(as_mass, d) == pytest.approx(8.0)
    as_density = d * math.log(
        1 / (256 * LEVEL_WIDTH)
    )  # flat over the 256 bins, of which the outer two overhang
    assert bits_per_dimension(as_density, d, LEVEL_WIDTH) == pytest.approx(8.0)


def test_a_certain_image_costs_nothing_and_a_coin_one_bit():
    assert bits_per_dimension(0.0, 10) == 0
    assert bits_per_dimension(10 * math.log(0.5), 10) == pytest.approx(1.0)


def test_the_unit_of_the_density_does_not_matter():
    nats_per_unit = -300.0
    nats_on_255 = nats_per_unit + 100 * math.log(LEVEL_WIDTH)  # the same density per grey level
    assert bits_per_dimension(nats_per_unit, 100, LEVEL_WIDTH) == pytest.approx(
        bits_per_dimension(nats_on_255, 100)
    )


def test_the_mean_and_its_interval():
    values = torch.tensor([1.0, 2.0, 3.0, 4.0])
    estimate = mean_interval(values)
    assert estimate.value == pytest.approx(2.5)
    assert estimate.ci95 == pytest.approx(1.96 * math.sqrt(5 / 3) / 2)


def test_the_interval_covers_the_mean_nineteen_times_of_twenty():
    hits = [abs(e.value) <= e.ci95 for e in (mean_interval(row) for row in torch.randn(2000, 200))]
    assert sum(hits) / len(hits) == pytest.approx(0.95, abs=0.02)


def test_single_precision_values_are_averaged_in_double():
    values = torch.full((10_000,), 1e6) + torch.arange(10_000) % 2
    assert mean_interval(values).value == pytest.approx(1e6 + 0.5, abs=1e-6)


def test_one_value_has_no_interval():
    estimate = mean_interval(torch.tensor([3.0]))
    assert estimate.value == 3.0
    assert math.isnan(estimate.ci95)
