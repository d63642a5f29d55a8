"""Estimates of ln p(x) and their errors, against a model and integrals whose values are known."""

from __future__ import annotations

import math

import pytest
import torch

from pushforward.errors import UserError
from pushforward.objectives.bounds import (
    decoder_log_likelihood,
    importance_estimate,
    prior_estimate,
    summarize_weights,
)
from tests.oracles import LinearGaussian


def test_equal_weights_are_all_effective_and_have_no_error():
    estimate = summarize_weights(torch.full((50, 3), -700.0))
    torch.testing.assert_close(estimate.value, torch.full((3,), -700.0).double())
    torch.testing.assert_close(estimate.ess, torch.full((3,), 50.0).double())
    assert estimate.standard_error.abs().max() < 1e-6


def test_one_dominant_weight_is_an_effective_sample_of_one():
    estimate = summarize_weights(torch.tensor([0.0, -800.0, -900.0]).view(3, 1))
    assert estimate.value.item() == pytest.approx(-math.log(3))
    assert estimate.ess.item() == pytest.approx(1.0)
    assert estimate.standard_error.item() == pytest.approx(1.0)


def test_value_error_and_sample_size_of_two_weights_by_hand():
    estimate = summarize_weights(torch.tensor([1.0, 3.0]).log().view(2, 1))
    assert estimate.value.item() == pytest.approx(math.log(2))
    assert estimate.ess.item() == pytest.approx(16 / 10)
    # The mean is 2, its standard error sqrt(2/2) = 1.
    assert estimate.standard_error.item() == pytest.approx(0.5)


def test_one_draw_has_no_standard_error():
    assert math.isnan(summarize_weights(torch.zeros(1, 1)).standard_error.item())


def test_the_standard_error_is_the_spread_of_repeated_estimates():
    replicates = summarize_weights(0.7 * torch.randn(200, 3000))
    ratio = replicates.standard_error.mean() / replicates.value.std()
    assert ratio.item() == pytest.approx(1.0, abs=0.06)


def test_importance_sampling_finds_the_likelihood_and_knows_its_error():
    model = LinearGaussian.random(16, 4, sigma=0.4)
    x = model.sample(20)
    mu, covariance = model.posterior(x)
    log_var = covariance.diagonal().log().expand_as(mu) + 0.5
    estimate = importance_estimate(lambda z: model.log_likelihood(x, z), mu, log_var, draws=4000)
    error = estimate.value - model.log_prob(x)
    assert error.abs().max() < 0.05
    assert (error / estimate.standard_error).abs().max() < 4
    assert estimate.ess.min() > 2000


def test_more_draws_tighten_the_bound_on_average():
    model = LinearGaussian.random(16, 4, sigma=0.4)
    x = model.sample(400)
    mu, covariance = model.posterior(x)
    log_var = covariance.diagonal().log().expand_as(mu) + 1.5
    gaps = [
        (
            model.log_prob(x)
            - importance_estimate(lambda z: model.log_likelihood(x, z), mu, log_var, draws=k).value
        )
        .mean()
        .item()
        for k in (1, 6, 36, 1000)
    ]
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[0] > 0.5
    assert abs(gaps[-1]) < 0.03


def test_draws_from_the_prior_suffice_in_one_dimension():
    x = torch.tensor([[0.3], [1.5]], dtype=torch.float64)
    z = torch.linspace(-8, 8, 8001, dtype=torch.float64)
    joint = torch.exp(-((x - z.sin()) ** 2) / 0.5 - 0.5 * z**2) / math.sqrt(2 * math.pi)
    truth = torch.trapezoid(joint, z, dim=1).log()
    estimate = prior_estimate(
        lambda z: -((x[:, 0] - z[..., 0].sin()) ** 2) / 0.5, torch.empty_like(x), draws=20_000
    )
    torch.testing.assert_close(estimate.value, truth, atol=0.05, rtol=0)


def test_draws_from_the_prior_fall_short_the_more_the_higher_the_dimension():
    shortfalls, sizes = [], []
    for d in (1, 4, 16, 48):
        model = LinearGaussian.random(64, d, sigma=0.4)
        x = model.sample(50)
        like = torch.zeros(50, d, dtype=torch.float64)
        estimate = prior_estimate(lambda z, m=model, x=x: m.log_likelihood(x, z), like, draws=1000)
        shortfalls.append((model.log_prob(x) - estimate.value).mean().item())
        sizes.append(estimate.ess.mean().item())
    assert shortfalls == sorted(shortfalls)
    assert abs(shortfalls[0]) < 0.05
    assert shortfalls[-1] > 20
    # ... and the effective sample size gives it away.
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 100
    assert sizes[-1] < 3


def test_a_vaes_decoder_and_likelihood_make_the_conditional():
    model = LinearGaussian.random(16, 3)
    vae = model.vae((1, 4, 4))
    x, z = model.sample(5).float(), torch.randn(7, 5, 3)
    conditional = decoder_log_likelihood(vae.decoder, vae.likelihood.log_prob, x.view(5, 1, 4, 4))
    torch.testing.assert_close(conditional(z), model.log_likelihood(x, z), atol=1e-3, rtol=1e-5)


def test_draws_at_once_bounds_what_is_decoded_together():
    sizes = []

    def log_likelihood(z: torch.Tensor) -> torch.Tensor:
        sizes.append(len(z))
        return torch.zeros(z.shape[:2])

    estimate = importance_estimate(
        log_likelihood, torch.zeros(2, 3), torch.zeros(2, 3), draws=25, draws_at_once=10
    )
    assert sizes == [10, 10, 5]
    torch.testing.assert_close(estimate.ess, torch.full((2,), 25.0).double())


def test_nothing_records_a_graph():
    scale = torch.ones((), requires_grad=True)
    estimate = prior_estimate(lambda z: scale * z.sum(-1), torch.zeros(2, 3), draws=5)
    assert not estimate.value.requires_grad


@pytest.mark.parametrize("argument", ["draws", "draws_at_once"])
def test_no_draws_is_named(argument):
    settings = {"draws": 10, argument: 0}
    with pytest.raises(UserError, match=f"^{argument}: 0; expected at least 1"):
        prior_estimate(lambda z: z.sum(-1), torch.zeros(2, 3), **settings)
