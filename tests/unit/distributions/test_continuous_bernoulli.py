"""The continuous Bernoulli: normalised on [-1, 1], smooth where λ = ½ is singular."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import ContinuousBernoulli as TorchContinuousBernoulli

from pushforward.distributions import ContinuousBernoulli
from pushforward.distributions.continuous_bernoulli import SERIES_BELOW, log_sinhc

LOGITS = (-30.0, -3.0, -0.59, -1e-3, 0.0, 1e-6, 0.1, 0.61, 8.0)


def pixel(value: torch.Tensor | float, n: int = 1) -> torch.Tensor:
    return torch.as_tensor(value, dtype=torch.float32).expand(n).reshape(n, 1, 1, 1)


@pytest.mark.parametrize("eta", LOGITS)
def test_the_density_integrates_to_one_and_the_mean_is_its_first_moment(eta):
    x = torch.linspace(-1, 1, 20_001, dtype=torch.float64)
    density = ContinuousBernoulli().log_prob(pixel(eta, len(x)), x.float().view(-1, 1, 1, 1)).double().exp()
    assert torch.trapezoid(density, x).item() == pytest.approx(1.0, abs=2e-5)
    mean = ContinuousBernoulli().mean(pixel(eta)).item()
    assert mean == pytest.approx(torch.trapezoid(density * x, x).item(), abs=2e-5)


@pytest.mark.parametrize("eta", [-5.0, -0.8, 0.7, 4.0])
def test_it_is_torchs_but_for_the_scale(eta):
    u = torch.rand(50)
    expected = TorchContinuousBernoulli(logits=torch.tensor(eta)).log_prob(u) - math.log(2)
    ours = ContinuousBernoulli().log_prob(pixel(eta, 50), (2 * u - 1).view(-1, 1, 1, 1))
    torch.testing.assert_close(ours, expected, atol=2e-5, rtol=1e-5)


def test_the_log_normaliser_matches_double_precision_on_both_sides_of_the_seam():
    a = torch.tensor([1e-4, 0.1, SERIES_BELOW - 1e-4, SERIES_BELOW, SERIES_BELOW + 1e-4, 1.0, 20.0])
    exact = (torch.sinh(a.double()) / a.double()).log()
    torch.testing.assert_close(log_sinhc(a).double(), exact, atol=5e-7, rtol=1e-6)
    torch.testing.assert_close(log_sinhc(-a), log_sinhc(a))


def test_value_and_gradient_are_finite_for_every_logit():
    eta = torch.tensor([-1e4, -100.0, -1e-8, 0.0, 1e-8, 100.0, 1e4]).view(1, 1, 1, 7).requires_grad_()
    x = torch.ones(1, 1, 1, 7)
    value = ContinuousBernoulli().log_prob(eta, x)
    value.sum().backward()
    assert value.isfinite().all()
    assert eta.grad.isfinite().all()
    # d ln p/dη = (x - E[x])/2: at η = 0 the mean is 0.
    assert eta.grad[0, 0, 0, 3].item() == pytest.approx(0.5)


def test_the_gradient_vanishes_where_the_mean_is_the_pixel():
    eta = torch.tensor([-4.0, 0.01, 2.0]).view(1, 1, 1, 3).requires_grad_()
    likelihood = ContinuousBernoulli()
    likelihood.log_prob(eta, likelihood.mean(eta).detach()).sum().backward()
    torch.testing.assert_close(eta.grad, torch.zeros_like(eta), atol=1e-6, rtol=0)


@pytest.mark.parametrize("eta", [-40.0, -2.0, 0.0, 5e-4, 3.0, 40.0])
def test_samples_have_the_mean_and_stay_in_range(eta):
    likelihood = ContinuousBernoulli()
    samples = likelihood.sample(pixel(eta, 40_000))
    assert samples.abs().max() <= 1
    # The standard deviation is at most 1/sqrt(3): a standard error of at most 0.003.
    assert samples.mean().item() == pytest.approx(likelihood.mean(pixel(eta)).item(), abs=0.012)


def test_samples_follow_the_distribution_function():
    samples = ContinuousBernoulli().sample(pixel(2.5, 40_000)).flatten()
    for u in (0.2, 0.5, 0.8):
        expected = math.expm1(2.5 * u) / math.expm1(2.5)
        assert (samples <= 2 * u - 1).float().mean().item() == pytest.approx(expected, abs=0.012)
