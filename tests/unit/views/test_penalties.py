"""Penalties of several views: each view's own, weighed, and all of them from one pass and one gradient."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pushforward.core import Clock
from pushforward.networks.gan_mlp import mlp_critic
from pushforward.objectives.penalties import gradient_penalty, zero_centred_penalty
from pushforward.views import GradientPenalty, Identity, View, ViewedCritic, ZeroCentredPenalties

B = 10


class Turn(View):
    """A quarter turn of the plane."""

    def forward(self, x: Tensor, clock: Clock) -> Tensor:
        return torch.stack([-x[:, 1], x[:, 0]], 1)


def critic(heads: bool) -> ViewedCritic:
    torch.manual_seed(0)
    network = mlp_critic((2,), (16, 16))
    with torch.no_grad():
        network.head.weight.mul_(12)  # slopes on both sides of 1
    own = network.new_head if heads else lambda: None
    views = [
        Identity(),
        Turn(weight_critic=0.5, head=own()),
        Identity(weight_critic=0.25, head=own()),
    ]
    for view in views[1:]:
        if view.head is not None:
            view.head.weight.data.mul_(12)
    return ViewedCritic(network, views)


def data() -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return 3 * torch.randn(B, 2), 3 * torch.randn(B, 2) + 1


def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tensors each call of autograd.grad is asked about."""
    seen: list[int] = []
    grad = torch.autograd.grad

    def counted(outputs, inputs, *args, **kwargs):
        seen.append(len(inputs))
        return grad(outputs, inputs, *args, **kwargs)

    monkeypatch.setattr(torch.autograd, "grad", counted)
    return seen


@pytest.mark.parametrize("heads", [True, False])
@pytest.mark.parametrize("one_sided", [True, False])
def test_the_gradient_penalty_of_all_views_is_the_sum_of_each_ones(heads, one_sided, monkeypatch):
    viewed = critic(heads)
    looks = viewed(*data(), Clock())
    torch.manual_seed(5)
    apart = sum(
        look.view.weight_critic * gradient_penalty(look.critic, *look.seen(), one_sided=one_sided)
        for look in looks
    )
    passes: list[int] = []
    viewed.network.trunk.register_forward_hook(lambda module, x, y: passes.append(len(y)))
    asked = calls(monkeypatch)
    torch.manual_seed(5)
    (name, together), *none = GradientPenalty(10.0, one_sided)(looks).items()
    assert (name, none) == ("penalty", [])
    assert (passes, asked) == ([3 * B], [3])
    assert together.item() == pytest.approx(apart.item(), rel=1e-5)
    same_gradients(viewed, together, apart)


@pytest.mark.parametrize("heads", [True, False])
def test_the_zero_centred_penalties_of_all_views_are_the_sums_of_each_ones(heads, monkeypatch):
    viewed = critic(heads)
    looks = viewed(*data(), Clock(), differentiable=True)
    apart = [torch.zeros(()), torch.zeros(())]
    for look in looks:
        for i, (scores, x) in enumerate(zip(look.pair(), look.seen(), strict=True)):
            apart[i] = apart[i] + look.view.weight_critic * zero_centred_penalty(scores, x)
    asked = calls(monkeypatch)
    together = ZeroCentredPenalties(0.5)(looks)
    assert list(together) == ["r1", "r2"]
    assert asked == [6]
    assert torch.allclose(torch.stack([*together.values()]), torch.stack(apart), rtol=1e-5)
    same_gradients(viewed, together["r1"] + 2 * together["r2"], apart[0] + 2 * apart[1])


def same_gradients(module: nn.Module, a: Tensor, b: Tensor) -> None:
    parameters = list(module.parameters())
    mine, theirs = (torch.autograd.grad(t, parameters, retain_graph=True, allow_unused=True) for t in (a, b))
    assert any(g is not None and (g != 0).any() for g in mine)
    for x, y in zip(mine, theirs, strict=True):
        assert (x is None) == (y is None)
        assert x is None or torch.allclose(x, y, atol=1e-6)


def test_what_is_penalised_is_the_gradient_at_what_was_seen():
    """A view that shrinks the data would halve a gradient that was taken of the raw image."""

    class Half(View):
        def forward(self, x: Tensor, clock: Clock) -> Tensor:
            return x / 2

    line = nn.Linear(2, 1)
    with torch.no_grad():
        line.weight.copy_(torch.tensor([[0.0, 3.0]]))
    looks = ViewedCritic(line, [Half()])(*data(), Clock(), differentiable=True)
    assert ZeroCentredPenalties(1.0)(looks)["r1"].item() == pytest.approx(9.0)
    assert GradientPenalty(1.0)(looks)["penalty"].item() == pytest.approx(4.0)
