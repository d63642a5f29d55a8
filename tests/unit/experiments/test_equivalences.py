"""The mathematics that `gaussian-mse` and `bernoulli-bce` hold the library against, on its own."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.integrate import quad
from torch.distributions import MultivariateNormal

from pushforward.experiments import bernoulli_bce, gaussian_mse
from pushforward.experiments.equivalence import (
    angle,
    digits,
    gradient,
    minimise,
    principal_scores,
    relative_difference,
    whitened,
)
from pushforward.experiments.harness.experiment import Cell

DOUBLE = torch.float64


def test_differences_and_angles_of_known_vectors():
    a, b = [torch.tensor([3.0]), torch.tensor([0.0])], [torch.tensor([0.0]), torch.tensor([4.0])]
    assert relative_difference(a, b) == pytest.approx(5 / 4)
    assert angle(a, b) == pytest.approx(math.pi / 2)
    tilted = [torch.tensor([1.0, 1e-9], dtype=DOUBLE)]
    assert angle(tilted, [torch.tensor([1.0, 0.0], dtype=DOUBLE)]) == pytest.approx(1e-9)


def test_the_minimiser_finds_a_quadratics_minimum():
    target, x = torch.randn(7, dtype=DOUBLE), torch.zeros(7, dtype=DOUBLE, requires_grad=True)
    curvature = torch.arange(1, 8, dtype=DOUBLE)
    left = minimise(lambda: (curvature * (x - target).square()).sum(), [x])
    assert left < 1e-6
    torch.testing.assert_close(x.detach(), target)


def test_scores_are_white_and_the_largest_first():
    x = torch.randn(50, 4, dtype=DOUBLE) @ torch.randn(4, 6, dtype=DOUBLE)
    white = whitened(x)
    torch.testing.assert_close(white.T @ white / 50, torch.eye(4, dtype=DOUBLE))
    torch.testing.assert_close(principal_scores(x, 2), white[:, :2])
    explained = ((x - x.mean(0)).T @ white).norm(dim=0)
    assert (explained.diff() < 0).all()


def test_digits_depend_on_the_seed_alone():
    torch.testing.assert_close(digits(5, seed=1, image_size=10), digits(5, seed=1, image_size=10))
    assert not torch.equal(digits(5, seed=1, image_size=10), digits(5, seed=2, image_size=10))


def test_a_wrong_gradient_is_seen_in_the_cell():
    right = gaussian_mse.run(Cell("gradient", "x", 0, {"sigma": 0.3, "held against": 0.3}))
    wrong = gaussian_mse.run(Cell("gradient", "x", 0, {"sigma": 0.3, "held against": 0.6}))
    assert right["gradient difference"] < 1e-12
    assert wrong["gradient difference"] == pytest.approx(3)  # (0.6 / 0.3)² - 1


@pytest.fixture
def vae():
    """A linear VAE at the closed-form optimum for σ = 0.5, its data, and its ELBO."""
    torch.manual_seed(3)
    x = torch.randn(40, 9, dtype=DOUBLE) * torch.arange(1, 10) + 2
    (values, vectors), _ = gaussian_mse._spectrum(x)
    values, vectors = values.flip(0), vectors.flip(1)  # the largest first, as the whitened images are
    model = gaussian_mse.LinearVAE(whitened(x), x.mean(0))
    sigma2 = 0.25
    with torch.no_grad():
        scale = (values - sigma2).sqrt()
        sign = torch.sign(torch.diag(model.white[:, : len(values)].T @ (x - x.mean(0)) @ vectors))
        model.decode.copy_((vectors * sign * scale).T)
        # The exact posterior: mean M⁻¹Wᵀ(x - μ) and variance σ²M⁻¹ with M = WᵀW + σ²; here M = diag λ.
        model.encode.zero_()
        model.encode[: len(values)] = torch.diag(scale * values.sqrt() / values)
        model.log_var.copy_((sigma2 / values).log())

    def elbo():
        x_hat, noise, kl = model()
        squared = (x - x_hat).square().sum(1) + noise
        return -squared / (2 * sigma2) - x.shape[1] / 2 * math.log(2 * math.pi * sigma2) - kl

    return model, x, elbo


def test_the_linear_vaes_elbo_at_its_optimum_is_the_marginal_likelihood(vae):
    model, x, elbo = vae
    covariance = model.decode.T @ model.decode + 0.25 * torch.eye(9, dtype=DOUBLE)
    exact = MultivariateNormal(model.mean, covariance).log_prob(x)
    torch.testing.assert_close(elbo(), exact)


def test_the_closed_form_optimum_is_stationary_and_has_its_covariance(vae):
    model, x, elbo = vae
    assert max(float(g.abs().max()) for g in gradient(elbo().mean(), model)) < 1e-10
    spectrum, _ = gaussian_mse._spectrum(x)
    torch.testing.assert_close(model.decode.T @ model.decode, gaussian_mse._optimum(*spectrum, 0.5))


def test_the_best_sigma_is_a_maximum_of_the_marginal_likelihood(vae):
    _, x, _ = vae
    spectrum, best = gaussian_mse._spectrum(x)

    def log_likelihood(sigma: float) -> float:
        covariance = gaussian_mse._optimum(*spectrum, sigma) + sigma**2 * torch.eye(9, dtype=DOUBLE)
        return float(MultivariateNormal(x.mean(0), covariance).log_prob(x).mean())

    assert log_likelihood(best) > max(log_likelihood(0.9 * best), log_likelihood(1.1 * best))


@pytest.mark.parametrize("p", [1e-4, 0.1, 0.5, 0.7, 0.999])
def test_the_mass_of_a_grey_pixel_by_quadrature(p):
    mass, _ = quad(lambda t: p**t * (1 - p) ** (1 - t), 0, 1)
    assert bernoulli_bce._normaliser(p) == pytest.approx(mass)
    assert mass <= 0.5 + 1e-12


@pytest.mark.parametrize("mean", [0.05, 0.1, 0.3, 0.5, 0.8, 0.9])
def test_the_normalised_densitys_optimum_has_the_mean_that_was_asked(mean):
    p = bernoulli_bce._continuous_bernoulli_optimum(mean)
    numerator, _ = quad(lambda t: t * p**t * (1 - p) ** (1 - t), 0, 1)
    assert numerator / bernoulli_bce._normaliser(p) == pytest.approx(mean, rel=1e-6)


def test_cross_entropy_is_torchs_and_newton_ends_at_its_optimum():
    z, t = torch.randn(200, 3, dtype=DOUBLE), torch.randint(0, 2, (200, 4)).double()
    logits = z @ torch.randn(3, 4, dtype=DOUBLE)
    theirs = torch.nn.functional.binary_cross_entropy_with_logits(logits, t, reduction="none")
    torch.testing.assert_close(bernoulli_bce.cross_entropy(logits, t), theirs)
    weights = bernoulli_bce._newton(z, t).requires_grad_()
    bernoulli_bce.cross_entropy(z @ weights, t).sum().backward()
    assert float(weights.grad.abs().max()) < 1e-9


def test_the_cells_without_a_fit_give_what_the_claims_say():
    mean = bernoulli_bce.run(Cell("gradient", "mean over pixels"))["gradient difference"]
    assert mean == pytest.approx(1 - 1 / 784)
    assert bernoulli_bce.run(Cell("gradient", "sum over pixels"))["gradient difference"] < 1e-12
    assert bernoulli_bce.run(Cell("mass of all images", "3 × 3 binary pixels"))["mass"] == pytest.approx(1)
    assert bernoulli_bce.run(Cell("mass of a grey pixel", "", 0, {"p": 0.5}))["mass"] == pytest.approx(0.5)
