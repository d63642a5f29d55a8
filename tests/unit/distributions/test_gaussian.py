"""The Gaussian likelihood: a normalised density on [-1, 1]'s scale, with σ fixed, learned or optimal."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Normal

from pushforward.distributions import LEVEL_WIDTH, Gaussian


@pytest.mark.parametrize("sigma", [0.05, 0.7])
def test_the_density_integrates_to_one(sigma):
    x = torch.linspace(-12 * sigma, 12 * sigma, 4001).view(-1, 1, 1, 1)
    decoded = torch.full_like(x, 0.3 * sigma)
    density = Gaussian(sigma=sigma).log_prob(decoded, x).double().exp()
    integral = torch.trapezoid(density, x.flatten().double())
    torch.testing.assert_close(integral.item(), 1.0, atol=1e-5, rtol=0)


def test_it_is_torchs_normal_density_summed_over_pixels():
    x, decoded = torch.randn(4, 3, 5, 5), torch.randn(4, 3, 5, 5)
    expected = Normal(decoded, 0.2).log_prob(x).flatten(1).sum(1)
    torch.testing.assert_close(Gaussian(sigma=0.2).log_prob(decoded, x), expected)


def test_a_fixed_sigma_gives_exactly_the_gradient_of_scaled_squared_error():
    x, decoded = torch.randn(4, 1, 3, 3), torch.randn(4, 1, 3, 3, requires_grad=True)
    (ours,) = torch.autograd.grad(-Gaussian(sigma=0.3).log_prob(decoded, x).sum(), decoded)
    (mse,) = torch.autograd.grad((x - decoded).square().sum() / (2 * 0.3**2), decoded)
    torch.testing.assert_close(ours, mse)


def test_the_optimal_sigma_is_the_batchs_root_mean_squared_error():
    x, decoded = torch.rand(6, 3, 4, 4), torch.rand(6, 3, 4, 4)
    rmse = (x - decoded).square().mean().sqrt().item()
    optimal = Gaussian(sigma="optimal").train().log_prob(decoded, x)
    torch.testing.assert_close(optimal, Gaussian(sigma=rmse).log_prob(decoded, x))
    for other in (0.8 * rmse, 1.25 * rmse):
        assert Gaussian(sigma=other).log_prob(decoded, x).sum() < optimal.sum()


def test_the_optimal_sigmas_gradient_is_that_of_log_mean_squared_error():
    x, decoded = torch.rand(6, 1, 4, 4), torch.rand(6, 1, 4, 4, requires_grad=True)
    (ours,) = torch.autograd.grad(-Gaussian(sigma="optimal").train().log_prob(decoded, x).mean(), decoded)
    loss = 16 / 2 * (x - decoded).square().mean().log()
    torch.testing.assert_close(ours, torch.autograd.grad(loss, decoded)[0])


def test_evaluation_uses_a_running_average_and_does_not_change_it():
    likelihood = Gaussian(sigma="optimal").train()
    x = torch.zeros(2, 1, 4, 4)
    for error in (0.1, 0.4):
        likelihood.log_prob(x + error, x)
    torch.testing.assert_close(likelihood.log_sigma.exp().item(), 0.2, rtol=1e-5, atol=0)
    likelihood.eval()
    before = likelihood.log_sigma.clone()
    scores = likelihood.log_prob(x + 5, x)
    assert torch.equal(likelihood.log_sigma, before)
    torch.testing.assert_close(scores, Gaussian(sigma=before.exp().item()).log_prob(x + 5, x))


def test_the_running_average_forgets_at_its_momentum():
    likelihood = Gaussian(sigma="optimal", momentum=0.1).train()
    x = torch.zeros(1, 1, 2, 2)
    for _ in range(30):
        likelihood.log_prob(x + 1.0, x)  # ln σ = 0
    for _ in range(20):
        likelihood.log_prob(x + 0.1, x)
    expected = math.log(0.1) * (1 - 0.9**20)
    torch.testing.assert_close(likelihood.log_sigma.item(), expected, rtol=1e-4, atol=0)


def test_the_optimal_sigma_stops_at_the_floor():
    x = torch.zeros(2, 1, 4, 4)
    perfect = Gaussian(sigma="optimal").train().log_prob(x, x)
    torch.testing.assert_close(perfect, Gaussian(sigma=LEVEL_WIDTH / 2).log_prob(x, x))


def test_a_learned_sigma_finds_the_error_and_comes_back_from_the_floor():
    likelihood = Gaussian(sigma="learned", sigma_floor=0.05).train()
    x = torch.zeros(8, 1, 4, 4)
    optimizer = torch.optim.Adam(likelihood.parameters(), lr=0.1)

    def fit(error: float) -> None:
        for _ in range(150):
            optimizer.zero_grad()
            (-likelihood.log_prob(x + error, x).mean() / 16).backward()
            optimizer.step()

    fit(0.01)
    likelihood.eval()
    torch.testing.assert_close(likelihood.log_prob(x, x), Gaussian(sigma=0.05).log_prob(x, x))
    likelihood.train()
    fit(0.3)
    torch.testing.assert_close(likelihood.log_sigma.exp().item(), 0.3, rtol=0.02, atol=0)


def test_only_a_learned_sigma_is_a_parameter():
    assert [len(list(Gaussian(sigma=s).parameters())) for s in (0.5, "optimal", "learned")] == [0, 0, 1]


def test_mean_and_samples_stay_in_range():
    likelihood = Gaussian(sigma=0.2)
    decoded = torch.tensor([-3.0, 0.1, 3.0]).view(1, 1, 1, 3).expand(20_000, -1, -1, -1)
    assert likelihood.mean(decoded)[0].flatten().tolist() == pytest.approx([-1.0, 0.1, 1.0])
    samples = likelihood.sample(decoded)
    assert samples.abs().max() <= 1
    middle = samples[..., 1]
    # Standard errors 0.0014 and 0.001.
    assert middle.mean().item() == pytest.approx(0.1, abs=0.01)
    assert middle.std().item() == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize("sigma", ["optimal", "learned"])
def test_the_state_survives_a_round_trip(sigma):
    likelihood = Gaussian(sigma=sigma).train()
    x = torch.zeros(2, 1, 2, 2)
    likelihood.log_prob(x + 0.2, x)
    twin = Gaussian(sigma=sigma)
    twin.load_state_dict(likelihood.state_dict())
    assert torch.equal(twin.eval().log_prob(x, x + 1), likelihood.eval().log_prob(x, x + 1))
