"""Annealed importance sampling against known likelihoods, and what its chains must keep."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import MultivariateNormal

from pushforward.errors import UserError
from pushforward.objectives.annealing import (
    Annealing,
    annealed_estimate,
    annealed_upper_bound,
    sigmoid_schedule,
)
from pushforward.objectives.bounds import importance_estimate, prior_estimate
from tests.oracles import LinearGaussian


@pytest.fixture(scope="module")
def model() -> LinearGaussian:
    return LinearGaussian.random(24, 6, sigma=0.5)


def test_the_schedule_rises_from_zero_to_one_symmetrically():
    betas = sigmoid_schedule(10)
    assert len(betas) == 11
    assert betas[0] == 0
    assert betas[-1] == 1
    assert (betas.diff() > 0).all()
    torch.testing.assert_close(betas + betas.flip(0), torch.ones(11).double())


@pytest.mark.parametrize("start", ["prior", "encoder"])
def test_it_finds_the_likelihood_and_knows_its_error(model, start):
    x = model.sample(64)
    mu, covariance = model.posterior(x)
    if start == "prior":
        mu, log_var = torch.zeros_like(mu), torch.zeros_like(mu)
    else:  # an encoder that is off by a standard deviation and half as wide again
        variance = covariance.diagonal()
        mu, log_var = mu + variance.sqrt(), (2 * variance).log().expand_as(mu)
    annealing = Annealing(temperatures=150, chains=32, leapfrog=3)
    estimate = annealed_estimate(lambda z: model.log_likelihood(x, z), mu, log_var, annealing=annealing)
    error = estimate.value - model.log_prob(x)
    assert error.mean().abs() < 0.05
    assert (error.abs() < 6 * estimate.standard_error).all()
    assert estimate.acceptance is not None
    assert estimate.acceptance.mean().item() == pytest.approx(0.65, abs=0.08)


def test_single_precision_does_as_well(model):
    x = model.sample(64).float()
    zeros = torch.zeros(64, 6)
    annealing = Annealing(temperatures=150, chains=32, leapfrog=3)
    estimate = annealed_estimate(lambda z: model.log_likelihood(x, z), zeros, zeros, annealing=annealing)
    assert estimate.value.dtype == torch.float64
    assert (estimate.value - model.log_prob(x)).mean().abs() < 0.05


def two_modes(z: torch.Tensor) -> torch.Tensor:
    """ln p(x|z) of z² = 2.25 seen with noise 0.3, modes at ±1.5: (k, b, 1) -> (k, b)."""
    return -0.5 * ((z[..., 0].square() - 2.25) / 0.3).square()


def test_from_the_prior_it_sees_the_mode_that_an_encoder_missed():
    z = torch.linspace(-8, 8, 16_001, dtype=torch.float64)
    prior = torch.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    truth = torch.trapezoid(two_modes(z.view(-1, 1, 1))[:, 0].exp() * prior, z).log().item()
    zeros = torch.zeros(32, 1, dtype=torch.float64)
    mu, log_var = zeros + 1.5, zeros + math.log(0.12**2)
    missed = importance_estimate(two_modes, mu, log_var, draws=2000)
    assert missed.value.mean().item() == pytest.approx(truth - math.log(2), abs=0.02)
    annealing = Annealing(temperatures=150, chains=64, leapfrog=5)
    found = annealed_estimate(two_modes, zeros, zeros, annealing=annealing)
    assert found.value.mean().item() == pytest.approx(truth, abs=0.05)


def test_its_weights_are_unbiased_even_when_annealed_in_two_steps():
    # ln w̄ falls short when annealing is crude, but w̄ itself does not, whatever the moves.
    log_likelihood = lambda z: -2 * (z[..., 0] - 1).square()  # noqa: E731
    zeros = torch.zeros(4000, 1, dtype=torch.float64)
    annealing = Annealing(temperatures=2, chains=8, leapfrog=3, pilot_chains=2)
    estimate = annealed_estimate(log_likelihood, zeros, zeros, annealing=annealing)
    truth = -0.5 * math.log(5) - 2 / 5  # ∫ exp(-2(z - 1)²) N(z; 0, 1) dz
    mean = estimate.value.exp().mean().item()
    assert mean == pytest.approx(math.exp(truth), rel=0.02)
    assert estimate.value.mean() < truth


def test_it_finds_what_as_many_draws_from_the_prior_cannot():
    model = LinearGaussian.random(40, 16, sigma=0.4)
    x = model.sample(24)
    zeros = torch.zeros(24, 16, dtype=torch.float64)
    annealing = Annealing(temperatures=200, chains=16, leapfrog=3)
    truth = model.log_prob(x)
    annealed = annealed_estimate(lambda z: model.log_likelihood(x, z), zeros, zeros, annealing=annealing)
    naive = prior_estimate(lambda z: model.log_likelihood(x, z), zeros, draws=200 * 16 * 3)
    assert (truth - naive.value).mean() > 5
    assert (truth - annealed.value).mean().abs() < 0.5


def test_annealing_backwards_bounds_from_above_and_the_two_close_in():
    model = LinearGaussian.random(24, 8, sigma=0.3)
    x = model.sample(40)
    posterior = MultivariateNormal(*model.posterior(x))
    zeros = torch.zeros(40, 8, dtype=torch.float64)
    gaps = []
    for temperatures in (8, 60):
        annealing = Annealing(temperatures=temperatures, chains=8, leapfrog=5)
        settings = {"annealing": annealing}
        conditional = lambda z: model.log_likelihood(x, z)  # noqa: E731
        below = annealed_estimate(conditional, zeros, zeros, **settings)
        above = annealed_upper_bound(conditional, posterior.sample(), zeros, zeros, **settings)
        truth = model.log_prob(x).mean()
        assert below.value.mean() < truth + 0.05
        assert above.value.mean() > truth - 0.05
        gaps.append((above.value - below.value).mean().item())
    assert gaps[1] < 0.4 * gaps[0]


def test_a_region_without_a_likelihood_is_refused_not_fatal():
    def half(z: torch.Tensor) -> torch.Tensor:
        return torch.where(z[..., 0] > -3, -0.5 * z[..., 0].square(), torch.nan)

    zeros = torch.full((2, 1), 2.0)
    annealing = Annealing(temperatures=20, chains=8)
    estimate = annealed_estimate(half, zeros, zeros - 6, annealing=annealing)
    assert estimate.value.isfinite().all()


def test_the_models_weights_get_no_gradient_and_the_result_no_graph():
    weight = torch.ones(3, requires_grad=True)
    annealing = Annealing(temperatures=3, chains=2, leapfrog=2)
    zeros = torch.zeros(2, 3)
    estimate = annealed_estimate(lambda z: -(weight * z).square().sum(-1), zeros, zeros, annealing=annealing)
    assert weight.grad is None
    assert not estimate.value.requires_grad
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"temperatures": 0}, "temperatures: 0; expected at least 1"),
        ({"chains": -1}, "chains: -1; expected at least 1"),
        ({"target_acceptance": 1.0}, "target_acceptance: 1.0; expected between 0 and 1"),
    ],
)
def test_impossible_settings_are_named(settings, says):
    with pytest.raises(UserError, match=says):
        Annealing(**settings)
