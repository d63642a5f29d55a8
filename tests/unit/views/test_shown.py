"""Which views are shown in a step, what a critic adds by itself, and views of both sides at once."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pushforward.algorithms.adversarial import critic_step
from pushforward.core import Clock
from pushforward.errors import UserError
from pushforward.networks.gan_mlp import mlp_critic
from pushforward.views import Identity, Look, Penalty, View, ViewedCritic
from pushforward.views.critic import weighed


def test_views_that_are_drawn_stand_for_all_of_them():
    torch.manual_seed(0)
    network = mlp_critic((2,), (16,))
    views = [Identity(), *(Identity(weight_critic=0.5, head=network.new_head()) for _ in range(3))]
    whole, drawn = ViewedCritic(network, views), ViewedCritic(network, views, sampled=1)
    x, y = torch.randn(6, 2), torch.randn(6, 2)

    def loss(critic: ViewedCritic, step: int) -> float:
        return weighed(
            looks := critic(x, y, Clock(step=step)), (a.mean() - b.mean() for a, b in map(Look.pair, looks))
        ).item()

    shown = [drawn(x, y, Clock(step=step))[1].view for step in range(300)]
    assert {id(view) for view in shown} == {id(view) for view in views[1:]}
    assert [id(v) for v in shown[:20]] == [id(drawn(x, y, Clock(step=s))[1].view) for s in range(20)]
    mean = sum(loss(drawn, step) for step in range(3000)) / 3000
    spread = max(abs(loss(drawn, step) - loss(whole, 0)) for step in range(30))
    assert abs(mean - loss(whole, 0)) < spread / 15
    with pytest.raises(UserError, match="`sampled`: 4 of 3 views beside the first"):
        ViewedCritic(network, views, sampled=4)


def test_a_penalty_of_the_critic_is_in_the_step_of_every_method():
    class Scores(nn.Module, Penalty):
        weight = 2.0

        def __call__(self, looks):
            return {"scores": weighed(looks, (look.pair()[0].mean() for look in looks))}

    torch.manual_seed(0)
    network = mlp_critic((2,), (16,))
    x, y = torch.randn(6, 2), torch.randn(6, 2)
    totals = []
    for penalties in ((), (Scores(),)):
        looks = ViewedCritic(network, penalties=penalties)(x, y, Clock())
        totals.append(next(critic_step(looks, lambda real, fake: (real - fake).mean())))
    own = totals[1].info["scores"]
    assert totals[1].losses["critic"].item() == pytest.approx(
        totals[0].losses["critic"].item() + 2 * own.item()
    )


def test_a_view_may_show_both_sides_at_once():
    class Swap(View):
        def forward(self, x, clock):
            return x

        def show(self, real, fake, clock):
            return (real, fake) if real is None else (fake, real)

    x, y = torch.randn(6, 2), torch.randn(6, 2)
    critic = ViewedCritic(mlp_critic((2,), (16,)), [Swap()])
    (look,) = critic(x, y, Clock())
    assert torch.equal(look.real, y)
    assert torch.equal(look.fake, x)
    (look,) = critic(None, y, Clock())
    assert look.real is None
    assert torch.equal(look.fake, y)
