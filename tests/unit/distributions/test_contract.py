"""What every likelihood keeps: shapes, range, finite gradients; and the recipe that builds each."""

from __future__ import annotations

import pytest
import torch

from pushforward.distributions import DiscretizedLogisticMixture, Gaussian
from pushforward.errors import UserError
from pushforward.recipes.vae import VAERecipe

CHOICES = ["gaussian", "bernoulli", "continuous-bernoulli", "logistic", "logistic-mixture"]


@pytest.mark.parametrize("network", ["mlp", "conv"])
@pytest.mark.parametrize("choice", CHOICES)
def test_a_vae_of_each_likelihood_scores_samples_and_reconstructs(choice, network):
    vae = VAERecipe(likelihood=choice, latent_dim=3, hidden=(16,), width=4, network=network).build((3, 9, 8))
    x = vae.likelihood.prepare(torch.rand(4, 3, 9, 8) * 2 - 1)
    score = vae.log_prob(x, k=2)
    score.sum().backward()
    assert score.shape == (4,)
    assert score.isfinite().all()
    assert all(p.grad.isfinite().all() for p in vae.parameters() if p.grad is not None)
    decoded = vae.decoder(torch.randn(5, 3))
    for images in (vae.reconstruct(x)[:4], vae.sample(5), vae.likelihood.sample(decoded)):
        assert images.shape[1:] == (3, 9, 8)
        assert images.abs().max() <= 1
        assert images.dtype == torch.float32


@pytest.mark.parametrize("choice", CHOICES)
def test_half_precision_outputs_are_scored_in_single_precision(choice):
    likelihood = VAERecipe(likelihood=choice).build((1, 8, 8)).likelihood.eval()
    decoded = torch.randn(2, likelihood.outputs, 8, 8).bfloat16()
    x = likelihood.prepare(torch.rand(2, 1, 8, 8))
    assert likelihood.log_prob(decoded, x).dtype == torch.float32
    torch.testing.assert_close(likelihood.log_prob(decoded, x), likelihood.log_prob(decoded.float(), x))


def test_the_recipe_passes_the_number_of_mixtures():
    assert VAERecipe(likelihood="logistic-mixture", mixtures=4).build((1, 8, 8)).likelihood.outputs == 12


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: DiscretizedLogisticMixture(mixtures=0), "mixtures: 0; expected at least 1"),
        (lambda: Gaussian(sigma=-0.5), "sigma: -0.5; expected a positive"),
        (lambda: VAERecipe(mixtures=0).build((1, 8, 8)), "`mixtures`: 0; expected at least 1"),
    ],
)
def test_impossible_settings_are_named(make, says):
    with pytest.raises(UserError, match=says):
        make()


@pytest.mark.parametrize("choice", CHOICES)
def test_double_outputs_are_scored_in_double_precision(choice):
    likelihood = VAERecipe(likelihood=choice).build((1, 8, 8)).likelihood.double().eval()
    decoded = torch.randn(2, likelihood.outputs, 8, 8, dtype=torch.float64)
    x = likelihood.prepare(torch.rand(2, 1, 8, 8)).double()
    scores = likelihood.log_prob(decoded, x)
    assert scores.dtype == torch.float64
    torch.testing.assert_close(
        scores.float(), likelihood.float().log_prob(decoded.float(), x.float()), atol=1e-2, rtol=1e-5
    )
