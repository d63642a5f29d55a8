"""The bound's pieces against torch's distributions and against a model whose ln p(x) is known."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from pushforward.core import Batch
from pushforward.objectives.elbo import (
    combined_bound,
    gaussian_kl,
    gaussian_log_prob,
    importance_weighted_bound,
    partial_bound,
    reparameterize,
)
from tests.oracles import LinearGaussian

SHAPE = (1, 4, 4)


def images(model: LinearGaussian, n: int) -> torch.Tensor:
    return model.sample(n).float().view(n, *SHAPE)


def test_gaussian_kl_is_torchs():
    mu, log_var = torch.randn(7, 5), torch.randn(7, 5)
    expected = kl_divergence(Normal(mu, torch.exp(0.5 * log_var)), Normal(0.0, 1.0))
    torch.testing.assert_close(gaussian_kl(mu, log_var), expected)
    assert gaussian_kl(torch.zeros(1, 3), torch.zeros(1, 3)).sum() == 0


def test_gaussian_log_prob_is_torchs():
    z, mu, log_var = torch.randn(7, 5), torch.randn(7, 5), torch.randn(1, 5)
    expected = Normal(mu, torch.exp(0.5 * log_var)).log_prob(z).sum(1)
    torch.testing.assert_close(gaussian_log_prob(z, mu, log_var), expected)


def test_reparameterized_draws_have_the_moments_and_pass_the_gradient():
    mu = torch.tensor([[1.0, -2.0]]).expand(40_000, -1).clone().requires_grad_()
    log_var = torch.tensor([[0.0, math.log(4.0)]]).expand(40_000, -1).clone().requires_grad_()
    z = reparameterize(mu, log_var)
    torch.testing.assert_close(z.mean(0), torch.tensor([1.0, -2.0]), atol=0.05, rtol=0)
    torch.testing.assert_close(z.std(0), torch.tensor([1.0, 2.0]), atol=0.05, rtol=0)
    d_mu, d_log_var = torch.autograd.grad(z.sum(), (mu, log_var))
    assert torch.equal(d_mu, torch.ones_like(mu))
    torch.testing.assert_close(d_log_var, 0.5 * (z - mu).detach())


def test_the_bound_of_equal_weights_is_their_logarithm():
    log_weights = torch.tensor([[-700.0, 3.0]]).expand(50, -1)
    torch.testing.assert_close(importance_weighted_bound(log_weights), torch.tensor([-700.0, 3.0]))


def test_one_sample_is_the_elbo_sample():
    log_weights = torch.randn(1, 6)
    torch.testing.assert_close(importance_weighted_bound(log_weights), log_weights[0])


def test_with_the_exact_posterior_every_weight_is_the_likelihood():
    model = LinearGaussian.random(16, 3)
    x = images(model, 10)
    weights = model.vae(SHAPE).log_weights(x, 4)
    torch.testing.assert_close(
        weights.double(), model.log_prob(x.flatten(1)).expand(4, -1), atol=1e-3, rtol=1e-5
    )


def test_the_gap_of_the_elbo_is_the_kl_to_the_true_posterior():
    model = LinearGaussian.random(16, 3)
    x = images(model, 4)
    widen = 0.8
    elbo = model.vae(SHAPE, widen=widen).log_weights(x, 20_000).double().mean(0)
    # KL between Gaussians of one mean whose variances differ by a factor e^widen, in 3 dimensions.
    gap = 3 * 0.5 * (math.exp(widen) - widen - 1)
    torch.testing.assert_close(
        model.log_prob(x.flatten(1)) - elbo, torch.full((4,), gap).double(), atol=0.06, rtol=0
    )


def test_the_bound_tightens_with_k_and_reaches_the_likelihood():
    model = LinearGaussian.random(16, 3)
    x = images(model, 30)
    log_weights = model.vae(SHAPE, widen=1.0).log_weights(x, 4096)
    truth = model.log_prob(x.flatten(1)).mean().item()
    # The same 4,096 draws in groups of k: each bound's expectation, without the noise between them.
    bounds = [
        torch.stack([importance_weighted_bound(g) for g in log_weights.split(k)]).mean().item()
        for k in (1, 4, 16, 64, 1024)
    ]
    assert bounds == sorted(bounds)
    assert bounds[0] < truth - 0.5
    assert bounds[-1] == pytest.approx(truth, abs=0.01)


def test_a_partial_bound_is_the_mean_of_bounds_of_neighbours():
    log_w = 5 * torch.randn(6, 3, dtype=torch.float64)
    by_hand = [
        [math.log(sum(math.exp(v) for v in log_w[i : i + 2, j]) / 2) for j in range(3)] for i in (0, 2, 4)
    ]
    expected = torch.tensor(by_hand, dtype=torch.float64).mean(0)
    torch.testing.assert_close(partial_bound(log_w, 3), expected)
    torch.testing.assert_close(partial_bound(log_w, 1), importance_weighted_bound(log_w))
    torch.testing.assert_close(partial_bound(log_w, 6), log_w.mean(0))
    assert (log_w.mean(0) < partial_bound(log_w, 3)).all()
    assert (partial_bound(log_w, 3) < importance_weighted_bound(log_w)).all()


def test_a_combination_is_a_mean_of_the_elbo_and_the_bound():
    log_w = torch.tensor([[0.0], [math.log(3)]])
    elbo, bound = math.log(3) / 2, math.log(2)
    assert combined_bound(log_w, 0.25).item() == pytest.approx(0.25 * elbo + 0.75 * bound)
    torch.testing.assert_close(combined_bound(log_w, 1.0), log_w.mean(0))
    torch.testing.assert_close(combined_bound(log_w, 0.0), importance_weighted_bound(log_w))


def test_the_vaes_log_prob_is_the_bound():
    model = LinearGaussian.random(16, 2)
    x = images(model, 5)
    ours = model.vae(SHAPE, widen=0.3).log_prob(x, k=2000)
    torch.testing.assert_close(ours.double(), model.log_prob(x.flatten(1)), atol=0.05, rtol=0)


def test_the_training_loss_is_minus_the_elbo_with_its_closed_form_kl():
    model = LinearGaussian.random(16, 3)
    vae = model.vae(SHAPE)
    x = images(model, 2000)
    update = next(vae.step(lambda name="data", n=None: Batch(x, None, torch.arange(len(x)))))
    truth = model.log_prob(x.flatten(1)).mean().item()
    assert -update.losses["vae"].item() == pytest.approx(truth, abs=0.1)
    assert update.info["kl"].item() == pytest.approx(model.mutual_information(), abs=0.1)
