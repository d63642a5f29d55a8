"""Straight paths from noise to Gaussian data, whose marginal velocity is known in closed form."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from pushforward.objectives.elbo import gaussian_log_prob
from pushforward.objectives.flow_matching import (
    conditional_path,
    flow_matching_loss,
    logit_normal_times,
    uniform_times,
)
from pushforward.objectives.ode import integrate, transported_log_prob

M = torch.tensor([1.0, -0.5], dtype=torch.float64)
S = torch.tensor([[0.5, 0.2], [0.2, 0.3]], dtype=torch.float64)  # covariance of the data
I2 = torch.eye(2, dtype=torch.float64)


def data(n: int) -> Tensor:
    return MultivariateNormal(M, S).sample((n,))


def gain(t: Tensor, sigma_min: float = 0.0) -> Tensor:
    """K with E[dx_t/dt | x_t] = M + (x_t - tM) K for data N(M, S): Cov(x_t)⁻¹ Cov(x_t, dx_t/dt).

    x_t = a x_0 + t x_1 and dx_t/dt = x_1 - k x_0, with k = 1 - σ_min and a = 1 - kt. (..., 2, 2) for t (...).
    """
    k, t = 1 - sigma_min, t[..., None, None]
    a = 1 - k * t
    return torch.linalg.solve(a * a * I2 + t * t * S, t * S - k * a * I2)


def marginal_velocity(sigma_min: float = 0.0):
    """The closed form as v(x, t), t a scalar or one a row."""

    def velocity(x: Tensor, t: Tensor) -> Tensor:
        centred = x - t.reshape(-1, 1) * M
        return M + (centred[:, None] @ gain(t.reshape(-1), sigma_min))[:, 0]

    return velocity


@pytest.mark.parametrize("sigma_min", [0.0, 0.1])
@pytest.mark.parametrize("shape", [(2,), (3, 4, 5)])
def test_a_path_leads_from_noise_to_the_datum(sigma_min, shape):
    x0, x1 = torch.randn(6, *shape).double(), torch.randn(6, *shape).double()
    start, _ = conditional_path(x0, x1, torch.zeros(6).double(), sigma_min=sigma_min)
    end, _ = conditional_path(x0, x1, torch.ones(6).double(), sigma_min=sigma_min)
    torch.testing.assert_close(start, x0)
    torch.testing.assert_close(end, x1 + sigma_min * x0)


@pytest.mark.parametrize("sigma_min", [0.0, 0.1])
def test_its_velocity_is_its_derivative(sigma_min):
    x0, x1, t = torch.randn(5, 3).double(), torch.randn(5, 3).double(), torch.rand(5).double()
    _, velocity = conditional_path(x0, x1, t, sigma_min=sigma_min)
    h = 1e-5
    after, before = (conditional_path(x0, x1, t + s, sigma_min=sigma_min)[0] for s in (h, -h))
    torch.testing.assert_close((after - before) / (2 * h), velocity, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("t", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("sigma_min", [0.0, 0.2])
def test_regression_on_paths_finds_the_marginal_velocity(t, sigma_min):
    """Of Gaussian data it is affine, so least squares over many paths must come to the closed form."""
    n = 200_000
    x_t, target = conditional_path(
        torch.randn(n, 2).double(), data(n), torch.full((n,), t).double(), sigma_min=sigma_min
    )
    ones = torch.ones(n, 1, dtype=torch.float64)
    fitted = torch.linalg.lstsq(torch.cat([x_t, ones], 1), target).solution
    slope = gain(torch.tensor(t).double(), sigma_min)
    torch.testing.assert_close(fitted[:2], slope, atol=0.02, rtol=0)
    torch.testing.assert_close(fitted[2], M - t * M @ slope, atol=0.02, rtol=0)


def slopes_of_the_loss(offset: float) -> Tensor:
    """d/dθ of the mean loss of v + offset + θ·g in standard errors, for three directions g(x, t)."""
    n, exact = 40_000, marginal_velocity()
    x0, x1, t = torch.randn(n, 2).double(), data(n), torch.rand(n).double()
    x_t, _ = conditional_path(x0, x1, t)
    v = exact(x_t, t) + offset
    found = []
    for g in (torch.ones_like(x_t), x_t.sin(), (3 * t).cos()[:, None] * x_t.flip(1)):
        theta = torch.zeros(n, 1, dtype=torch.float64, requires_grad=True)
        losses = flow_matching_loss(lambda x, s, g=g, theta=theta: v + theta * g, x0, x1, t)
        (slope,) = torch.autograd.grad(losses.sum(), theta)
        found.append(slope.mean() / slope.std() * math.sqrt(n))
    return torch.stack(found)


def test_at_the_marginal_velocity_the_gradient_is_zero_in_expectation():
    assert slopes_of_the_loss(0.0).abs().max() < 4.5


def test_beside_it_the_gradient_is_not():
    assert slopes_of_the_loss(0.3).abs().max() > 20


def test_the_least_loss_is_the_spread_of_the_paths_that_cross():
    """E Var(dx_t/dt | x_t) / d, which for Gaussian data is Cov(dx/dt) - K'Cov(x_t)K at each time."""
    n, t = 100_000, 0.4
    x0, x1 = torch.randn(n, 2).double(), data(n)
    losses = flow_matching_loss(marginal_velocity(), x0, x1, torch.full((n,), t).double())
    K = gain(torch.tensor(t).double())
    covariance = (1 - t) ** 2 * I2 + t * t * S
    least = ((I2 + S) - K.T @ covariance @ K).trace().item() / 2
    assert losses.mean().item() == pytest.approx(least, abs=4 * losses.std().item() / math.sqrt(n))


@pytest.mark.parametrize("sigma_min", [0.0, 0.3])
def test_the_marginal_velocity_carries_noise_to_the_data(sigma_min):
    """The whole theorem: the flow of E[dx_t/dt | x_t] ends in the data's density, blurred by σ_min."""
    velocity = marginal_velocity(sigma_min)
    exact = MultivariateNormal(M, S + sigma_min**2 * I2)
    x = data(50)

    def prior(z: Tensor) -> Tensor:
        return gaussian_log_prob(z, torch.zeros_like(z), torch.zeros_like(z))

    found = transported_log_prob(velocity, x, prior, steps=100, solver="rk4")
    torch.testing.assert_close(found, exact.log_prob(x), rtol=1e-6, atol=1e-6)
    z = integrate(velocity, x, steps=100, solver="rk4", start=1.0, end=0.0)
    torch.testing.assert_close(integrate(velocity, z, steps=100, solver="rk4"), x, rtol=1e-6, atol=1e-6)


def test_a_loss_is_the_mean_over_numbers_of_the_squared_error():
    x0, x1, t = torch.randn(3, 1, 2, 2), torch.randn(3, 1, 2, 2), torch.rand(3)
    losses = flow_matching_loss(lambda x, s: torch.zeros_like(x).bfloat16(), x0, x1, t, sigma_min=0.5)
    assert losses.dtype == torch.float32
    torch.testing.assert_close(losses, (x1 - 0.5 * x0).square().flatten(1).mean(1))


def test_times_are_uniform_or_logit_normal():
    like, n = torch.zeros(20_000, 2), 20_000
    uniform, dwelling = uniform_times(like), logit_normal_times(like, mean=0.5, std=2.0)
    quantiles = torch.linspace(0.05, 0.95, 19)
    assert (uniform.quantile(quantiles) - quantiles).abs().max() < 0.02
    logits = dwelling.logit()
    assert logits.mean().item() == pytest.approx(0.5, abs=5 * 2 / math.sqrt(n))
    assert logits.std().item() == pytest.approx(2.0, rel=0.03)
    # t is between 1/4 and 3/4 where |n| < ln 3, which has a chance of 0.728.
    middle = ((logit_normal_times(like) - 0.5).abs() < 0.25).float().mean().item()
    assert middle == pytest.approx(0.7281, abs=0.015)
