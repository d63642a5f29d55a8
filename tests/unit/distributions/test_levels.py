"""Bits are code lengths: the masses of the 256 levels add up to 1, whatever the decoder says (Kraft)."""

from __future__ import annotations

import math
from contextlib import suppress

import pytest
import torch
from scipy.integrate import quad

from pushforward.distributions import (
    ContinuousBernoulli,
    DiscretizedLogistic,
    DiscretizedLogisticMixture,
    Gaussian,
)
from pushforward.distributions.likelihood import LEVEL_WIDTH, counting_levels

LEVELS = torch.arange(256).float() * LEVEL_WIDTH - 1
EXTREMES = [0.0, 1e-6, 0.3, -1.0, 5.0, -30.0, 300.0, -1e4, 1e6]


def masses(likelihood, decoded):
    """P of each level, of one pixel whose decoder says `decoded`, (outputs,)."""
    one = torch.as_tensor(decoded, dtype=torch.float32).view(1, -1, 1, 1).expand(256, -1, 1, 1)
    return likelihood.log_mass(one, LEVELS.view(256, 1, 1, 1)).double().exp()


@pytest.mark.parametrize("value", EXTREMES)
@pytest.mark.parametrize("sigma", [1 / 255, 0.01, 1.0, 50.0])
def test_a_gaussians_levels_add_up_to_one(sigma, value):
    assert masses(Gaussian(sigma=sigma).eval(), [value]).sum().item() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("value", EXTREMES)
def test_a_continuous_bernoullis_levels_add_up_to_one(value):
    assert masses(ContinuousBernoulli(), [value]).sum().item() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("value", EXTREMES)
@pytest.mark.parametrize("scale", [-50.0, -7.0, 0.0, 9.0])
def test_a_logistics_levels_add_up_to_one(scale, value):
    assert masses(DiscretizedLogistic(), [value, scale]).sum().item() == pytest.approx(1, abs=1e-4)
    mixture = DiscretizedLogisticMixture(mixtures=2)
    assert masses(mixture, [0, 1, value, 0.1, scale, -2]).sum().item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("eta", [0.0, 0.2, -3.0, 40.0])
@pytest.mark.parametrize("level", [0, 1, 100, 255])
def test_a_mass_is_the_integral_of_the_density(eta, level):
    likelihood = ContinuousBernoulli()

    def density(x):
        one = torch.tensor(x, dtype=torch.float64).view(1, 1, 1, 1)
        return likelihood.log_prob(torch.full_like(one, eta), one).exp().item()

    low, high = (max(-1, min(1, LEVELS[level].item() + s * LEVEL_WIDTH / 2)) for s in (-1, 1))
    assert masses(likelihood, [eta])[level].item() == pytest.approx(quad(density, low, high)[0], rel=1e-5)
    gaussian = Gaussian(sigma=0.05).eval()
    if 0 < level < 255:
        expected = quad(
            lambda x: math.exp(-0.5 * ((x - 0.1) / 0.05) ** 2) / (0.05 * math.sqrt(2 * math.pi)), low, high
        )[0]
        assert masses(gaussian, [0.1])[level].item() == pytest.approx(expected, rel=1e-4, abs=1e-30)


def test_a_density_times_a_width_is_no_code():
    """What was reported: 256 levels that add up to far more than 1."""
    likelihood = ContinuousBernoulli()
    one = torch.full((256, 1, 1, 1), 4000.0)
    told = likelihood.log_prob(one, LEVELS.view(256, 1, 1, 1)).exp() * LEVEL_WIDTH
    assert told.sum() > 7


def test_counting_levels_is_put_back():
    likelihood = Gaussian(sigma=0.1).eval()
    decoded, x = torch.zeros(2, 1, 3, 3), torch.zeros(2, 1, 3, 3)
    before = likelihood.log_prob(decoded, x)
    with suppress(ZeroDivisionError), counting_levels(likelihood):
        assert (likelihood.log_prob(decoded, x) < before).all()
        raise ZeroDivisionError
    assert torch.equal(likelihood.log_prob(decoded, x), before)
