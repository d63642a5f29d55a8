"""FLD: its density against a fit by gradient, as the authors', its reference point, and copies."""

from __future__ import annotations

import math

import pytest
import torch

from pushforward.errors import UserError
from pushforward.metrics.fld import _fit, _log_likelihoods, fld


def objective(centres: torch.Tensor, x: torch.Tensor, variances: torch.Tensor, broad: torch.Tensor) -> float:
    """The mean log-likelihood of a feature of x, with the broad Gaussian at 0.9 of its distance."""
    d = x.shape[1]
    own = _log_likelihoods(x, centres, variances) * d
    squares = 0.81 * (x - x.mean(0)).square().sum(1)
    far = -0.5 * squares / broad - d / 2 * (2 * math.pi * broad).log()
    return torch.logaddexp(own, far).mean().item() / d


def by_gradient(centres: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The authors' procedure: Adam, 50 steps at 0.5, from the variance that suits the nearest point."""
    d = x.shape[1]
    squares = torch.cdist(x, centres).square()
    broad = 0.81 * (x - x.mean(0)).square().sum(1, keepdim=True)
    logs = ((squares.min(0).values + 1e-3) / d).log().requires_grad_()
    origin = torch.zeros((), dtype=x.dtype, requires_grad=True)
    adam = torch.optim.Adam([logs, origin], lr=0.5)
    for _ in range(50):

        def density(d2, s):
            return -0.5 * d2 / s.exp() - d / 2 * s - d / 2 * math.log(2 * math.pi)

        own = density(squares, logs) - math.log(len(centres))
        loss = -torch.logsumexp(torch.cat([own, density(broad, origin)], 1), 1).mean() / d
        adam.zero_grad()
        loss.backward()
        adam.step()
    return logs.detach().exp(), origin.detach().exp()


@pytest.mark.parametrize("d", [8, 32])
def test_the_fit_is_as_good_as_the_authors_50_steps(d):
    """Of the same objective, the broad Gaussian included."""
    x, centres = (torch.randn(n, d).double() for n in (150, 60))
    ours, theirs = (objective(centres, x, *fit) for fit in (_fit(centres, x), by_gradient(centres, x)))
    assert -1e-3 < ours - theirs < 0.05  # nats a feature: theirs have not all converged


def test_no_small_change_of_a_variance_is_better():
    """Finite differences of the whole objective, at its maximum."""
    x, centres = (torch.randn(n, 8).double() for n in (150, 20))
    variances, broad = _fit(centres, x)
    best = objective(centres, x, variances, broad)
    for i in range(5):
        for factor in (0.97, 1.03):
            other = variances.clone()
            other[i] *= factor
            assert objective(centres, x, other, broad) < best + 1e-7


def test_the_density_is_a_normal_mixture():
    centres, x = torch.tensor([[0.0], [2.0]]).double(), torch.tensor([[0.5], [3.0]]).double()
    variances = torch.tensor([1.0, 4.0]).double()
    normal = torch.distributions.Normal(centres[:, 0], variances.sqrt())
    expected = torch.logsumexp(normal.log_prob(x), 1) - math.log(2)
    torch.testing.assert_close(_log_likelihoods(x, centres, variances), expected)


def test_real_images_score_zero_blur_more_and_copies_most():
    train, held_out, fresh = (torch.randn(n, 16) for n in (400, 200, 200))
    good = fld(train, held_out, fresh)
    assert abs(good.value) < 3
    assert abs(good.gap) < 3
    assert fld(train, held_out, 2 * fresh).value > good.value + 3
    shifted = fld(train, held_out, fresh + 1)
    assert shifted.value > good.value + 3
    copies = fld(train, held_out, train[:200] + 1e-4 * torch.randn(200, 16))
    assert copies.value > 100
    assert copies.gap < -100


def test_samples_that_are_one_another_still_have_a_value():
    train, held_out = torch.randn(60, 4), torch.randn(40, 4)
    assert math.isfinite(fld(train, held_out, torch.zeros(50, 4)).value)
    assert math.isfinite(fld(train, held_out, train[:30]).value)  # exact copies


def test_features_that_never_vary_are_left_out():
    train, held_out, fake = (torch.randn(50, 4) for _ in range(3))
    more = [torch.cat([x, torch.ones(50, 2)], 1) for x in (train, held_out, fake)]
    assert fld(*more).value == pytest.approx(fld(train, held_out, fake).value)


def test_too_few_rows_are_refused():
    with pytest.raises(UserError, match=r"`held_out`.*at least 20"):
        fld(torch.randn(30, 2), torch.randn(10, 2), torch.randn(30, 2))
