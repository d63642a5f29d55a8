"""Summaries of log-likelihoods against their definitions."""

from __future__ import annotations

import math

import pytest
import torch

from pushforward.distributions import LEVEL_WIDTH
from pushforward.metrics.likelihood import bits_per_dimension as bits_of


def bits(nats: float, dimensions: int, bin_width: float = 1.0) -> float:
    return bits_of(torch.tensor(nats, dtype=torch.float64), dimensions, bin_width).item()


def test_uniform_eight_bit_images_cost_eight_bits():
    d = 3 * 8 * 8
    as_mass = d * math.log(1 / 256)
    assert bits(as_mass, d) == pytest.approx(8.0)
    as_density = d * math.log(
        1 / (256 * LEVEL_WIDTH)
    )  # flat over the 256 bins, of which the outer two overhang
    assert bits(as_density, d, LEVEL_WIDTH) == pytest.approx(8.0)


def test_a_certain_image_costs_nothing_and_a_coin_one_bit():
    assert bits(0.0, 10) == 0
    assert bits(10 * math.log(0.5), 10) == pytest.approx(1.0)


def test_the_unit_of_the_density_does_not_matter():
    nats_per_unit = -300.0
    nats_on_255 = nats_per_unit + 100 * math.log(LEVEL_WIDTH)  # the same density per grey level
    assert bits(nats_per_unit, 100, LEVEL_WIDTH) == pytest.approx(bits(nats_on_255, 100))
