"""What trained critics and discriminators say, beside the exact answer."""

from __future__ import annotations

import math

import pytest
import torch

from pushforward.errors import UserError
from pushforward.objectives.divergences import js_normals, train_critic, train_discriminator, w1_samples
from pushforward.objectives.penalties import input_gradient

QUICK = {"hidden": (32, 32), "steps": 300}


def test_the_critic_reads_off_w1_in_two_dimensions():
    x, y = torch.randn(1000, 2), torch.randn(1000, 2) + torch.tensor([3.0, 0.0])
    reading = train_critic(x, y, **QUICK)
    exact = w1_samples(x, y).item()
    assert reading.value == pytest.approx(exact, rel=0.03)
    assert reading.raw > 1.02 * reading.value  # steeper than 1
    assert reading.lambda_ > 10 * exact


@pytest.mark.parametrize("one_sided", [True, False])
def test_the_critics_slope_is_one_and_m_over_two_lambda(one_sided):
    x = torch.randn(2000, 1)
    reading = train_critic(x, x + 8, lambda_=4.0, one_sided=one_sided, **QUICK)
    assert reading.slope == pytest.approx(1 + 8 / (2 * 4), rel=0.05)
    assert reading.raw == pytest.approx(8 * reading.slope, rel=0.03)
    assert reading.value == pytest.approx(8, rel=0.05)


def test_the_units_and_the_origin_of_the_points_do_not_matter():
    x, y = torch.randn(500, 2), torch.randn(500, 2) + 2
    readings = []
    for unit in (1.0, 1000.0):
        torch.manual_seed(0)
        readings.append(train_critic(unit * x + 50, unit * y + 50, **QUICK).value / unit)
    assert readings[0] == pytest.approx(readings[1], rel=1e-2)


def test_the_critic_that_is_returned_is_the_one_that_was_read():
    x, y = torch.randn(800, 2), torch.randn(800, 2) * 3 + 5
    reading = train_critic(x, y, **QUICK)
    assert (reading.critic(x).mean() - reading.critic(y).mean()).item() == pytest.approx(
        reading.raw, rel=1e-4
    )
    between = ((x + y) / 2).requires_grad_()
    slopes = input_gradient(reading.critic(between), between).norm(dim=1)
    assert slopes.mean().item() == pytest.approx(reading.slope, rel=0.2)
    assert not any(p.requires_grad for p in reading.critic.parameters())


def test_the_discriminator_bounds_js_and_its_logit_is_the_log_ratio():
    x, y = torch.randn(20_000, 1), torch.randn(20_000, 1) + 2
    reading = train_discriminator(x, y, **QUICK)
    exact = js_normals(*(torch.tensor(v) for v in (0.0, 1.0, 2.0, 1.0))).item()
    assert reading.js == pytest.approx(exact, abs=0.01)
    at = torch.tensor([[0.0], [1.0], [2.0]])
    torch.testing.assert_close(reading.discriminator(at), torch.tensor([2.0, 0.0, -2.0]), atol=0.3, rtol=0)


def test_equal_distributions_are_told_apart_by_neither():
    x, y = torch.randn(10_000, 1), torch.randn(10_000, 1)
    assert abs(train_discriminator(x, y, **QUICK).js) < 0.01
    assert abs(train_critic(x, y, **QUICK).value) < 0.05


def test_far_apart_the_discriminator_is_sure():
    x = torch.randn(2000, 2)
    assert train_discriminator(x, x + 20, **QUICK).js == pytest.approx(math.log(2), abs=1e-2)


@pytest.mark.parametrize("train", [train_critic, train_discriminator])
def test_what_cannot_be_is_said(train):
    with pytest.raises(UserError, match=r"^y: 1 points; expected at least 2"):
        train(torch.randn(5, 2), torch.randn(1, 2))
    with pytest.raises(UserError, match=r"^x, y: a mean distance of 0\.0 between them"):
        train(torch.ones(5, 2), torch.ones(5, 2))
