"""Discretized logistics: masses over the 256 levels that add up to one, edges included."""

from __future__ import annotations

import math

import pytest
import torch

from pushforward.core import to_float, to_uint8
from pushforward.distributions import (
    LEVEL_WIDTH,
    DiscretizedLogistic,
    DiscretizedLogisticMixture,
    Likelihood,
    snap_to_levels,
)

LEVELS = to_float(torch.arange(256, dtype=torch.uint8)).view(256, 1, 1, 1)


def masses(likelihood: Likelihood, decoded: torch.Tensor) -> torch.Tensor:
    """P(level) for one pixel: decoded is (1, outputs, 1, 1)."""
    return likelihood.log_prob(decoded.expand(256, -1, 1, 1), LEVELS).double().exp()


def logistic(mu: float, log_s: float) -> torch.Tensor:
    return torch.tensor([mu, log_s]).view(1, 2, 1, 1)


CASES = [(0.0, 0.0), (0.3, -3.0), (-0.97, -2.0), (1.4, -1.0), (0.113, -6.5), (-3.0, -5.0), (0.0, 6.0)]


@pytest.mark.parametrize(("mu", "log_s"), CASES)
def test_the_masses_of_all_levels_add_up_to_one(mu, log_s):
    assert masses(DiscretizedLogistic(), logistic(mu, log_s)).sum().item() == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize(("mu", "log_s"), CASES)
def test_the_mean_is_the_expectation_to_within_half_a_level(mu, log_s):
    expected = (masses(DiscretizedLogistic(), logistic(mu, log_s)) * LEVELS.flatten().double()).sum().item()
    ours = DiscretizedLogistic().mean(logistic(mu, log_s)).item()
    assert ours == pytest.approx(expected, abs=LEVEL_WIDTH / 2 + 1e-4)


def test_the_masses_are_differences_of_the_distribution_function():
    mu, log_s = 0.2, -2.5
    s = math.exp(-7.0) * (1 + math.exp(log_s + 7.0))  # the soft floor, exp(-7 + softplus(ln s + 7))
    bounds = torch.cat(
        [torch.tensor([-math.inf]), LEVELS.flatten()[:-1] + LEVEL_WIDTH / 2, torch.tensor([math.inf])]
    )
    expected = torch.sigmoid((bounds.double() - mu) / s).diff()
    torch.testing.assert_close(
        masses(DiscretizedLogistic(), logistic(mu, log_s)), expected, atol=1e-6, rtol=1e-3
    )


def test_far_from_the_mean_the_logarithm_is_the_tails_slope():
    # ln P falls by 1/s per unit of x, far past where the mass itself is zero in single precision.
    x = torch.tensor([0.0, LEVEL_WIDTH]).view(2, 1, 1, 1)
    scores = DiscretizedLogistic().log_prob(logistic(-1.0, -6.0).expand(2, -1, -1, -1), x)
    s = math.exp(-7.0) * (1 + math.exp(1.0))
    assert scores[0] < -200
    assert (scores[0] - scores[1]).item() == pytest.approx(LEVEL_WIDTH / s, rel=1e-3)


def test_value_and_gradient_are_finite_for_extreme_outputs():
    extremes = torch.tensor([-1e4, -5.0, 0.0, 5.0, 1e4])
    decoded = torch.stack(torch.meshgrid(extremes, torch.tensor([-60.0, 0.0, 30.0]), indexing="ij"), -1)
    decoded = decoded.view(-1, 2, 1, 1).requires_grad_()
    for level in (-1.0, LEVELS[100].item(), 1.0):
        scores = DiscretizedLogistic().log_prob(decoded, torch.full((15, 1, 1, 1), level))
        (gradient,) = torch.autograd.grad(scores.sum(), decoded)
        assert scores.isfinite().all()
        assert gradient.isfinite().all()


def test_channels_are_means_first_then_scales():
    decoded = torch.randn(2, 6, 4, 4)
    x = snap_to_levels(torch.rand(2, 3, 4, 4))
    together = DiscretizedLogistic().log_prob(decoded, x)
    apart = sum(DiscretizedLogistic().log_prob(decoded[:, [i, i + 3]], x[:, [i]]) for i in range(3))
    torch.testing.assert_close(together, apart)


def test_samples_follow_the_masses():
    likelihood = DiscretizedLogistic()
    decoded = logistic(0.9, -2.0)
    samples = likelihood.sample(decoded.expand(40_000, -1, -1, -1))
    torch.testing.assert_close(to_float(to_uint8(samples)), samples, atol=1e-6, rtol=0)
    frequency = torch.bincount(to_uint8(samples).flatten().long(), minlength=256) / 40_000
    expected = masses(likelihood, decoded).float()
    assert expected[255] > 0.2  # the tail is on the last level
    torch.testing.assert_close(frequency, expected, atol=0.012, rtol=0)


def test_preparing_rounds_to_levels_and_keeps_them():
    likelihood = DiscretizedLogistic()
    torch.testing.assert_close(likelihood.prepare(LEVELS), LEVELS, atol=1e-6, rtol=0)
    noisy = LEVELS + 0.4 * LEVEL_WIDTH * (2 * torch.rand_like(LEVELS) - 1)
    torch.testing.assert_close(likelihood.prepare(noisy), LEVELS, atol=1e-6, rtol=0)


def mixture_output(k: int) -> torch.Tensor:
    return torch.cat([torch.randn(k), torch.rand(k) * 2.4 - 1.2, -1 - 4 * torch.rand(k)]).view(1, 3 * k, 1, 1)


@pytest.mark.parametrize("k", [1, 2, 7])
def test_a_mixtures_masses_add_up_to_one_and_have_its_mean(k):
    likelihood, decoded = DiscretizedLogisticMixture(mixtures=k), mixture_output(k)
    assert likelihood.outputs == 3 * k
    p = masses(likelihood, decoded)
    assert p.sum().item() == pytest.approx(1.0, abs=1e-4)
    expected = (p * LEVELS.flatten().double()).sum().item()
    assert likelihood.mean(decoded).item() == pytest.approx(expected, abs=LEVEL_WIDTH / 2 + 1e-4)


def test_a_mixture_is_the_weighted_sum_of_its_components():
    k, decoded = 4, mixture_output(4)
    weights = decoded.flatten()[:k].softmax(0)
    parts = [masses(DiscretizedLogistic(), decoded[:, [k + i, 2 * k + i]]) for i in range(k)]
    expected = sum(w * p for w, p in zip(weights, parts, strict=True))
    ours = masses(DiscretizedLogisticMixture(mixtures=k), decoded)
    torch.testing.assert_close(ours, expected, atol=1e-6, rtol=1e-4)


def test_a_mixture_of_one_is_the_logistic_on_colour_images():
    decoded, x = torch.randn(2, 6, 4, 4), snap_to_levels(torch.rand(2, 3, 4, 4))
    with_logits = torch.cat([torch.randn(2, 3, 4, 4), decoded], dim=1)
    one = DiscretizedLogisticMixture(mixtures=1)
    torch.testing.assert_close(one.log_prob(with_logits, x), DiscretizedLogistic().log_prob(decoded, x))
    torch.testing.assert_close(one.mean(with_logits), DiscretizedLogistic().mean(decoded))


def test_a_mixtures_samples_follow_its_masses():
    likelihood = DiscretizedLogisticMixture(mixtures=3)
    decoded = torch.tensor([0.0, 1.0, -1.0, -0.9, 0.2, 0.8, -4.0, -3.5, -4.5]).view(1, 9, 1, 1)
    samples = likelihood.sample(decoded.expand(40_000, -1, -1, -1))
    frequency = torch.bincount(to_uint8(samples).flatten().long(), minlength=256) / 40_000
    torch.testing.assert_close(frequency, masses(likelihood, decoded).float(), atol=0.012, rtol=0)
    assert 0.5 * (frequency - masses(likelihood, decoded)).abs().sum() < 0.06
