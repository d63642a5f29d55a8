"""The importance weighted bound's gradient: against the VAE's, and against the paper's own formula."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pushforward.algorithms.iwae import IWAE
from pushforward.algorithms.vae import VAE
from pushforward.core import Algorithm, Batch
from pushforward.errors import UserError
from pushforward.objectives.elbo import gaussian_log_prob
from pushforward.recipes.iwae import IWAERecipe
from pushforward.recipes.vae import VAERecipe

SHAPE = (1, 2, 2)
OPTIONS = {"latent_dim": 2, "hidden": (3,), "sigma": 0.5}
IMAGES = torch.tensor([[0.9, -0.8, 0.1, 0.4], [-0.5, 0.7, 0.6, -0.9]]).view(-1, *SHAPE)


def models(k: int) -> tuple[IWAE, VAE]:
    """Of the same weights."""
    iwae = IWAERecipe(k=k, **OPTIONS).build(SHAPE)
    vae = VAERecipe(**OPTIONS).build(SHAPE)
    vae.load_state_dict(iwae.state_dict())
    return iwae, vae


def gradient(model: Algorithm, repeats: int) -> Tensor:
    """Of the loss of one step on every image `repeats` times, flat."""
    x = IMAGES.repeat(repeats, 1, 1, 1)
    update = next(model.step(lambda name="data", n=None: Batch(x, None, torch.arange(len(x)))))
    grads = torch.autograd.grad(update.losses["vae"], list(model.parameters()))
    return torch.cat([g.flatten() for g in grads])


def difference(k: int) -> Tensor:
    """Mean difference of the two gradients in standard errors, from 30 independent estimates."""
    iwae, vae = models(k)
    d = torch.stack([gradient(iwae, 1000) - gradient(vae, 1000) for _ in range(30)])
    used = d.abs().sum(0) > 0
    return (d.mean(0) / d.std(0) * len(d) ** 0.5)[used]


def test_one_sample_has_the_gradient_of_the_vae_in_expectation():
    assert difference(1).abs().max() < 5


def test_more_samples_have_another():
    assert difference(5).abs().max() > 20


def test_one_backward_pass_gives_the_papers_estimator():
    """Σ w̃_i ∇ ln w_i, eq. 14, with the normalised weights held fixed."""
    model, _ = models(4)
    x = IMAGES
    torch.manual_seed(1)
    update = next(model.step(lambda name="data", n=None: Batch(x, None, torch.arange(len(x)))))
    ours = torch.autograd.grad(update.losses["vae"], list(model.parameters()))

    torch.manual_seed(1)
    mu, log_var = model.posterior(x)
    epsilon = torch.randn_like(mu.repeat(4, 1))
    log_w = []
    for e in epsilon.split(len(x)):
        z = mu + torch.exp(0.5 * log_var) * e
        log_px = model.likelihood.log_prob(model.decoder(z), x)
        zero = torch.zeros_like(z)
        log_w.append(log_px + gaussian_log_prob(z, zero, zero) - gaussian_log_prob(z, mu, log_var))
    log_w = torch.stack(log_w)
    weights = log_w.detach().softmax(0)
    theirs = torch.autograd.grad(-(weights * log_w).sum(0).mean(), list(model.parameters()))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)


def test_the_bound_is_above_the_elbo_of_its_draws():
    model, _ = models(8)
    update = next(model.step(lambda name="data", n=None: Batch(IMAGES, None, torch.arange(2))))
    assert -update.losses["vae"] > update.info["elbo"]
    assert 1 <= update.info["effective_samples"] <= 8


def test_one_sample_is_its_own_elbo():
    model, _ = models(1)
    update = next(model.step(lambda name="data", n=None: Batch(IMAGES, None, torch.arange(2))))
    assert -update.losses["vae"].item() == pytest.approx(update.info["elbo"].item())
    assert update.info["effective_samples"] == pytest.approx(1)


def test_what_cannot_be_is_refused():
    with pytest.raises(UserError, match="`k`: 0; expected at least 1"):
        IWAERecipe(k=0).build(SHAPE)
    with pytest.raises(UserError, match=r"`sigma`: optimal; .*expected 'learned' or a number"):
        IWAERecipe(sigma="optimal").build(SHAPE)
    assert IWAERecipe(sigma="optimal", likelihood="bernoulli").build(SHAPE).hyper.k == 5
