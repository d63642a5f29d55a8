"""The decomposition of the KL on posteriors whose information, correlation and gap are known."""

from __future__ import annotations

import math

import pytest
import torch

from pushforward.diagnostics.latent_information import latent_information
from pushforward.errors import UserError
from tests.oracles import LinearGaussian


def posterior_of(model: LinearGaussian, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    mu, covariance = model.posterior(model.sample(n))
    return mu, covariance.diagonal().log().expand_as(mu)


def test_the_information_of_the_linear_gaussian_model_is_found():
    model = LinearGaussian.random(16, 2, sigma=0.3)
    truth = model.mutual_information()
    found = latent_information(*posterior_of(model, 1500), draws=2)
    assert 1 < truth < 3
    assert found.information == pytest.approx(truth, abs=0.1)
    assert abs(found.information - truth) < 5 * found.standard_error + 0.02
    # The exact posterior's aggregate is the prior: no gap, no correlation.
    assert found.marginal_kl == pytest.approx(0, abs=0.1)
    assert found.total_correlation == pytest.approx(0, abs=0.1)
    assert found.dimension_kl.abs().max() < 0.05
    assert not found.saturated
    assert found.information - 0.05 < truth < found.upper + 0.05


@pytest.mark.parametrize("sigma", [1.0, 0.3, 0.1, 0.05])
def test_the_truth_lies_between_the_bounds_and_far_from_both_only_where_that_is_said(sigma):
    """Near ln n the lower bound misses nats; within three of it that is flagged."""
    model = LinearGaussian.random(16, 4, sigma=sigma)
    truth, found = model.mutual_information(), latent_information(*posterior_of(model, 500), draws=4)
    noise = 4 * found.standard_error + 0.02
    assert found.information - noise < truth < found.upper + noise
    assert found.saturated or abs(found.information - truth) < 0.25
    assert found.least_marginal_kl <= found.marginal_kl


def test_each_dimensions_information_is_its_own():
    model = LinearGaussian.random(16, 3, sigma=0.6)
    found = latent_information(*posterior_of(model, 1500))
    truth = 0.5 * torch.log1p(model.W.square().sum(0) / model.sigma**2)
    torch.testing.assert_close(found.dimension_information, truth, atol=0.1, rtol=0)


def gaussian_aggregate(n: int, spread: torch.Tensor, noise: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Posteriors of width `noise` whose aggregate is N(0, spread + noise²)."""
    mu = torch.randn(n, len(spread), dtype=torch.float64) @ torch.linalg.cholesky(spread).T
    return mu, torch.full_like(mu, 2 * math.log(noise))


def test_a_correlated_aggregate_has_the_total_correlation_of_its_gaussian():
    spread, noise = torch.tensor([[1.0, 0.7], [0.7, 1.0]], dtype=torch.float64), 0.4
    found = latent_information(*gaussian_aggregate(2500, spread, noise))
    covariance = spread + noise**2 * torch.eye(2)
    rho = covariance[0, 1] / covariance[0, 0]
    assert found.total_correlation == pytest.approx(-0.5 * math.log(1 - rho**2), abs=0.08)


def test_an_aggregate_wider_than_the_prior_has_its_gaussians_gap():
    spread, noise = 3.0 * torch.eye(1, dtype=torch.float64), 0.5
    found = latent_information(*gaussian_aggregate(2500, spread, noise))
    variance = 3.25
    gap = 0.5 * (variance - math.log(variance) - 1)
    assert found.marginal_kl == pytest.approx(gap, abs=0.12)
    assert found.dimension_kl.item() == pytest.approx(found.marginal_kl)
    assert found.information == pytest.approx(0.5 * math.log(variance / 0.25), abs=0.08)


def test_two_far_apart_posteriors_carry_one_bit():
    mu = torch.tensor([[-50.0], [50.0]]).repeat(200, 1)
    found = latent_information(mu, torch.zeros_like(mu))
    assert found.information == pytest.approx(math.log(2), abs=1e-6)


def test_a_collapsed_posterior_carries_exactly_nothing():
    found = latent_information(torch.zeros(100, 4), torch.zeros(100, 4))
    assert found.information == pytest.approx(0, abs=1e-9)
    assert found.marginal_kl == pytest.approx(0, abs=1e-9)
    assert found.kl.sum() == 0


def test_information_stops_at_the_logarithm_of_the_images_and_says_so():
    model = LinearGaussian.random(32, 8, sigma=0.1)
    found = latent_information(*posterior_of(model, 100))
    assert model.mutual_information() > 2 * math.log(100)
    assert found.information == pytest.approx(math.log(100), abs=0.1)
    assert found.ceiling == math.log(100)
    assert found.saturated
    # A single dimension is far from the ceiling: its own gap can still be told.
    assert found.dimension_information.max() < 3.5


def test_the_parts_add_up_to_the_kl():
    mu, log_var = torch.randn(80, 3), torch.randn(80, 3) - 1
    found = latent_information(mu, log_var, draws=3)
    total = found.information + found.total_correlation + found.dimension_kl.sum().item()
    assert total == pytest.approx(0.5 * (log_var.exp() + mu**2 - log_var - 1).sum(1).mean().item(), rel=1e-5)


def test_working_in_pieces_changes_nothing(monkeypatch):
    mu, log_var = torch.randn(60, 3), torch.randn(60, 3)
    torch.manual_seed(3)
    whole = latent_information(mu, log_var, draws=2)
    monkeypatch.setattr("pushforward.diagnostics.latent_information.ELEMENTS_AT_ONCE", 1000)
    torch.manual_seed(3)
    pieces = latent_information(mu, log_var, draws=2)
    assert pieces.information == pytest.approx(whole.information, rel=1e-12)
    torch.testing.assert_close(pieces.dimension_information, whole.dimension_information)


def test_too_little_to_mix_is_named():
    with pytest.raises(UserError, match="mu: 1 image; expected at least 2"):
        latent_information(torch.zeros(1, 2), torch.zeros(1, 2))
    with pytest.raises(UserError, match="draws: 0"):
        latent_information(torch.zeros(3, 2), torch.zeros(3, 2), draws=0)
