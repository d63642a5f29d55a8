"""A fitted mixture finds the one that the points came from."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import MultivariateNormal

from pushforward.distributions.mixture import fit_gaussian_mixture
from pushforward.errors import UserError


def test_two_far_gaussians_are_found_with_their_shares():
    covariance = torch.tensor([[1.0, 0.6], [0.6, 0.5]])
    left = MultivariateNormal(torch.tensor([-5.0, 0.0]), covariance).sample((6000,))
    right = MultivariateNormal(torch.tensor([5.0, 1.0]), torch.eye(2)).sample((2000,))
    mixture = fit_gaussian_mixture(torch.cat([left, right]), components=2)
    order = mixture.component_distribution.mean[:, 0].argsort()
    weights = mixture.mixture_distribution.probs[order]
    torch.testing.assert_close(weights, torch.tensor([0.75, 0.25]).double(), atol=0.01, rtol=0)
    means = mixture.component_distribution.mean[order]
    torch.testing.assert_close(means, torch.tensor([[-5.0, 0.0], [5.0, 1.0]]).double(), atol=0.1, rtol=0)
    found = mixture.component_distribution.covariance_matrix[order[0]]
    torch.testing.assert_close(found, covariance.double(), atol=0.08, rtol=0)
    drawn = mixture.sample((20_000,))
    torch.testing.assert_close(drawn.mean(0), torch.cat([left, right]).mean(0).double(), atol=0.15, rtol=0)


def test_one_component_is_the_gaussian_of_maximum_likelihood():
    z = torch.randn(500, 3) @ torch.randn(3, 3)
    mixture = fit_gaussian_mixture(z, components=1)
    ours = mixture.log_prob(z.double()).mean()
    best = MultivariateNormal(z.double().mean(0), torch.cov(z.double().T, correction=0))
    torch.testing.assert_close(ours, best.log_prob(z.double()).mean(), atol=1e-4, rtol=0)


def test_the_same_seed_finds_the_same_mixture():
    z = torch.randn(200, 4)
    a, b = (fit_gaussian_mixture(z, components=5, seed=3) for _ in range(2))
    assert torch.equal(a.component_distribution.mean, b.component_distribution.mean)


def test_codes_in_a_plane_have_a_density():
    z = torch.cat([torch.randn(100, 2), torch.zeros(100, 1)], 1)
    assert fit_gaussian_mixture(z, components=2).log_prob(z.double()).isfinite().all()


@pytest.mark.parametrize("components", [0, 6])
def test_more_components_than_half_of_the_points_are_refused(components):
    with pytest.raises(UserError, match=f"components: {components}; expected from 1 to 5, half of the 10"):
        fit_gaussian_mixture(torch.randn(10, 2), components=components)
