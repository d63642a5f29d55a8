"""Penalties on critics whose gradients are known in closed form."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pushforward.core import Clock
from pushforward.objectives.penalties import (
    clip_weights_,
    gradient_penalty,
    input_gradient,
    input_gradients,
    squared_norm,
    zero_centred_penalty,
)
from pushforward.views import Identity, Packing, ViewedCritic, ZeroCentredPenalties

B = 16


def line(slope: float, d: int = 3) -> nn.Linear:
    """A critic of points whose gradient has this norm everywhere."""
    critic = nn.Linear(d, 1)
    with torch.no_grad():
        critic.weight.copy_(slope * nn.functional.normalize(torch.randn(1, d)))
    return critic


@pytest.mark.parametrize("slope", [0.25, 1.0, 3.0])
@pytest.mark.parametrize("shape", [(3,), (1, 3, 1)])
def test_the_gradient_penalty_of_a_linear_critic(slope, shape):
    critic = line(slope)

    def score(x: torch.Tensor) -> torch.Tensor:
        return critic(x.flatten(1))

    real, fake = torch.randn(B, *shape), torch.randn(B, *shape)
    two = gradient_penalty(score, real, fake)
    one = gradient_penalty(score, real, fake, one_sided=True)
    assert two.item() == pytest.approx((slope - 1) ** 2, abs=1e-5)
    assert one.item() == pytest.approx(max(0.0, slope - 1) ** 2, abs=1e-5)


def test_the_gradient_penalty_moves_the_critic_alone_and_by_the_right_amount():
    """d(‖w‖ - 1)²/dw = 2 (‖w‖ - 1) w/‖w‖, and one-sided nothing below 1."""
    real, fake = torch.randn(B, 3, requires_grad=True), torch.randn(B, 3, requires_grad=True)
    for slope, one_sided, factor in (
        (3.0, False, 4.0),
        (3.0, True, 4.0),
        (0.5, False, -1.0),
        (0.5, True, 0.0),
    ):
        critic = line(slope)
        gradient_penalty(critic, real, fake, one_sided=one_sided).backward()
        expected = factor * critic.weight.detach() / slope
        assert torch.allclose(critic.weight.grad, expected, atol=1e-5)
    assert real.grad is None
    assert fake.grad is None


def test_the_points_lie_between_real_and_fake_each_pair_at_a_place_of_its_own():
    seen = []

    def critic(x: torch.Tensor) -> torch.Tensor:
        seen.append(x.detach())
        return x.sum(1, keepdim=True)

    real, fake = torch.zeros(1000, 2), torch.ones(1000, 2)
    real[:, 1], fake[:, 1] = 5, 9
    gradient_penalty(critic, real, fake)
    (x,) = seen
    share = x[:, 0]
    assert torch.allclose(x[:, 1], 5 + 4 * share, atol=1e-5)
    assert 0 <= share.min() < 0.02
    assert 0.98 < share.max() <= 1
    assert float(share.mean()) == pytest.approx(0.5, abs=0.05)
    assert len(share.unique()) > 900


def test_the_gradient_penalty_works_in_double():
    critic = line(3.0).double()
    real = torch.randn(B, 3, dtype=torch.float64)
    assert gradient_penalty(critic, real, -real).item() == pytest.approx(4.0)


def test_a_critic_that_does_not_look_has_a_finite_penalty_and_gradient():
    """‖∇D‖ has no slope at 0, which is where a dead critic is."""
    critic = line(0.0)
    value = gradient_penalty(critic, torch.randn(B, 3), torch.randn(B, 3))
    value.backward()
    assert value.item() == 1
    assert critic.weight.grad.isfinite().all()


def quadratic(a: float):
    """D(x) = a/2 ‖x‖², whose squared gradient is a² ‖x‖²."""
    return lambda x: a / 2 * x.flatten(1).square().sum(1, keepdim=True)


@pytest.mark.parametrize("shape", [(3,), (2, 4, 4)])
def test_r1_of_a_quadratic_critic(shape):
    x = torch.randn(B, *shape, requires_grad=True)
    value = zero_centred_penalty(quadratic(0.5)(x), x)
    assert value.item() == pytest.approx(0.25 * float(x.square().flatten(1).sum(1).mean()), rel=1e-5)


def test_r1_can_be_descended():
    """d(a² ‖x‖²)/da = 2a ‖x‖²."""
    a = torch.tensor(0.5, requires_grad=True)
    x = torch.randn(B, 3, requires_grad=True)
    zero_centred_penalty(a / 2 * x.square().sum(1), x).backward()
    assert float(a.grad) == pytest.approx(float(x.detach().square().sum(1).mean()), rel=1e-5)


@pytest.mark.parametrize("one_pass", [True, False])
def test_both_penalties_at_once_are_the_two_by_themselves(one_pass):
    critic = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    real, fake = (torch.randn(B, 3, requires_grad=True) for _ in range(2))
    if one_pass:
        scores = critic(torch.cat([real, fake])).split(B)
    else:
        scores = critic(real), critic(fake)
    both = [squared_norm(g) for g in input_gradients(scores, [real, fake])]
    apart = zero_centred_penalty(critic(real), real), zero_centred_penalty(critic(fake), fake)
    assert torch.allclose(torch.stack(both), torch.stack(apart))
    of_both = torch.autograd.grad(both[0] + 2 * both[1], critic.parameters(), allow_unused=True)
    of_apart = torch.autograd.grad(apart[0] + 2 * apart[1], critic.parameters(), allow_unused=True)
    for mine, theirs in zip(of_both, of_apart, strict=True):
        assert (mine is None) == (theirs is None)
        assert mine is None or torch.allclose(mine, theirs, atol=1e-6)


def test_penalties_are_float32_whatever_the_scores_are():
    x = torch.randn(B, 3, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scores = line(2.0)(x)
        assert scores.dtype == torch.bfloat16
        assert zero_centred_penalty(scores, x).dtype == torch.float32
        assert gradient_penalty(line(3.0), x, -x).item() == pytest.approx(4.0, rel=0.02)


def test_gradients_are_each_samples_own():
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    assert torch.equal(input_gradient(x.square().sum(1), x), 2 * x)


def test_what_a_packed_critic_is_penalised_for_is_the_gradient_in_the_whole_pack():
    """A critic of m = 2 points with gradient (w, w) has norm √2 ‖w‖, and each pack counts once."""
    critic = ViewedCritic(line(3.0, d=4), [Packing(Identity(), 2)])
    (look,) = critic(torch.randn(B, 2), torch.randn(B, 2), Clock())
    assert look.seen()[0].shape == (B // 2, 4)
    assert gradient_penalty(look.critic, *look.seen()).item() == pytest.approx(4.0, abs=1e-5)

    looks = critic(torch.randn(B, 2), torch.randn(B, 2), Clock(), differentiable=True)
    penalties = ZeroCentredPenalties(1.0)(looks)
    assert {k: v.item() for k, v in penalties.items()} == pytest.approx({"r1": 9.0, "r2": 9.0}, rel=1e-5)


@pytest.mark.parametrize("c", [0.01, 0.3])
def test_clipping_bounds_every_weight_and_leaves_those_inside_alone(c):
    network = nn.Sequential(nn.Linear(20, 20), nn.ReLU(), nn.Linear(20, 1))
    before = [p.detach().clone() for p in network.parameters()]
    clip_weights_(network, c)
    for p, was in zip(network.parameters(), before, strict=True):
        assert torch.equal(p.detach(), was.clamp(-c, c))
    assert any((was.abs() > 0.01).any() for was in before)
