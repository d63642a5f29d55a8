"""CycleGAN: its objective by hand and by finite differences, and the pool of past images."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pushforward.algorithms.cyclegan import (
    CycleGAN,
    CycleGANHyperparameters,
    Pool,
)
from pushforward.algorithms.translation import linear_decay
from pushforward.core import Batch, Clock
from pushforward.errors import UserError
from pushforward.recipes.cyclegan import CycleGANRecipe
from pushforward.runs.data import _refuse_alike
from pushforward.views import ViewedCritic
from tests.differences import assert_slope
from tests.runs import build

SHAPE = (1, 2, 2)


class Scale(nn.Module):
    """x · factor."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, x):
        return x * self.factor


class Mean(Scale):
    """factor · the mean of x, a score."""

    def forward(self, x):
        return self.factor * x.flatten(1).mean(1, keepdim=True)


def by_hand(**options) -> CycleGAN:
    return CycleGAN(
        generator_a=Scale(0.5),
        generator_b=Scale(3.0),
        critic_a=ViewedCritic(Mean(1.0)),
        critic_b=ViewedCritic(Mean(-1.0)),
        shape=SHAPE,
        hyper=CycleGANHyperparameters(**options),
    )


def constant_draw(name, n=None):
    return Batch(torch.full((2, *SHAPE), {"a": 0.2, "b": -0.4}[name]), None, torch.arange(2))


@pytest.mark.parametrize(
    ("options", "rest"),
    [
        ({}, 10 * (0.1 + 0.2) + 5 * (0.1 + 0.8)),
        ({"cycle": "mse"}, 10 * (0.01 + 0.04) + 5 * (0.1 + 0.8)),
        ({"cycle_weight": 2.0, "identity": 0.0}, 2 * (0.1 + 0.2)),
        ({"cycle_weight": 2.0, "identity": 1.0}, 2 * (0.1 + 0.2) + 2 * (0.1 + 0.8)),
    ],
)
def test_a_step_by_hand(options, rest):
    """a = 0.2, b = -0.4; G_a halves, G_b triples: fakes are -0.2 and 0.6, there and back is × 1.5."""
    step = by_hand(**options).step(constant_draw)
    update = next(step)
    fool = (-0.2 - 1) ** 2 + (-0.6 - 1) ** 2
    assert update.losses.keys() == {"generator_a", "generator_b"}
    assert update.losses["generator_a"] is update.losses["generator_b"]
    assert update.losses["generator_a"].item() == pytest.approx(fool + rest, rel=1e-5)
    critic_a = step.send(update.answer())
    assert critic_a.losses["critic_a"].item() == pytest.approx(((0.2 - 1) ** 2 + 0.2**2) / 2, rel=1e-5)
    critic_b = step.send(critic_a.answer())
    assert critic_b.losses["critic_b"].item() == pytest.approx(((0.4 - 1) ** 2 + 0.6**2) / 2, rel=1e-5)
    with pytest.raises(StopIteration):
        step.send(critic_b.answer())


@pytest.mark.parametrize("player", ["generator_a", "generator_b", "critic_a", "critic_b"])
@pytest.mark.parametrize("kind", ["cyclegan", "cyclegan, dag"])
def test_each_gradient_is_that_of_finite_differences(kind, player):
    model = build(kind, pool=0).double()
    torch.manual_seed(1)
    x = {name: torch.randn(2, 1, 16, 16, dtype=torch.float64).tanh() for name in ("a", "b")}
    for p in model.parameters():  # of N(0, 0.02²) a difference would be lost in rounding
        p.data = 0.3 * torch.randn_like(p)

    def loss():
        torch.manual_seed(2)  # whatever the views draw
        step = model.step(lambda name, n=None: Batch(x[name], None, torch.arange(2)))
        update = next(step)
        while player not in update.losses:
            update = step.send(update.answer())
        return update.losses[player]

    assert_slope(loss, model.players()[player].parameters())


def test_a_pool_hands_on_and_keeps_what_comes_until_it_is_full():
    pool = Pool(4, (1,))
    x = torch.arange(1.0, 5.0)[:, None]
    assert torch.equal(pool(x[:3]), x[:3])
    assert torch.equal(pool(x[3:]), x[3:])
    assert torch.equal(pool.images, x)


def test_a_full_pool_swaps_half_of_the_time_any_of_its_images():
    torch.manual_seed(0)
    pool, size, n = Pool(5, (1,)), 5, 4000
    pool(torch.zeros(size, 1))
    swaps, places = 0, torch.zeros(size)
    for i in range(1, n + 1):
        before = pool.images.clone()
        out = pool(torch.full((1, 1), float(i)))
        changed = (pool.images != before).flatten()
        if out.item() == i:
            assert not changed.any()
        else:
            assert changed.sum() == 1
            assert out.item() == before[changed].item()
            assert pool.images[changed].item() == i
            swaps += 1
            places += changed
    assert abs(swaps - n / 2) < 4 * (n / 4) ** 0.5
    expected = swaps / size
    assert ((places - expected).square() / expected).sum() < 18.5  # χ² of 4 degrees, 99.9 %


def test_no_pool_hands_on_what_comes():
    x = torch.randn(3, 1, requires_grad=True)
    out = Pool(0, (1,))(x)
    assert torch.equal(out, x)
    assert not out.requires_grad


def test_rates_are_constant_and_then_fall_to_zero_along_a_line():
    factors = [linear_decay(Clock(step=step, steps=100)) for step in (0, 25, 50, 75, 100)]
    assert factors == pytest.approx([1, 1, 1, 0.5, 0])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"pool": -1}, "`pool`: -1"),
        ({"cycle_weight": -1.0}, "`cycle_weight`: -1"),
        ({"identity": -0.5}, "`identity`: -0.5"),
        ({"beta1": 1.0}, "`beta1`: 1"),
        ({"width": 0}, "`width`: 0"),
        ({"blocks": -1}, "`blocks`: -1"),
        ({"halvings": 2}, r"`halvings`: 2, for images of 16x16; expected one of 1"),
        ({"lecam_after": 3}, "`lecam_after`: 3, but"),
    ],
)
def test_bad_options_are_refused(options, said):
    with pytest.raises(UserError, match=said):
        CycleGANRecipe(**options).build(a=(1, 16, 16), b=(1, 16, 16))


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        ((1, 16, 16), (3, 16, 16), "1 channels, and `data.b`: of 3; .*`channels` 3"),
        ((3, 16, 16), (3, 16, 20), "16x16, and `data.b`: of 16x20; .*`image_size`"),
        ((3, 15, 15), (3, 15, 15), "images of 15x15, and the smallest critic .* 16 pixels"),
        ((3, 16, 16), (2,), "`data.b`: points"),
    ],
)
def test_domains_that_do_not_fit_are_refused(a, b, said):
    with pytest.raises(UserError, match=said):
        CycleGANRecipe(width=2, blocks=0, critic_width=2).build(a=a, b=b)


def test_a_domain_that_is_none_is_refused():
    with pytest.raises(UserError, match="`to`: 'c'; expected 'a' or 'b'"):
        by_hand().translate(torch.zeros(1, *SHAPE), "c")


def test_two_streams_of_the_same_data_or_of_one_row_are_refused():
    class Data(list):
        fingerprint = "x"

    class Other(list):
        fingerprint = "y"

    with pytest.raises(UserError, match=r"`data\.b`: the same as `data\.a`"):
        _refuse_alike({"a": Data([1, 2]), "b": Data([1, 2])})
    with pytest.raises(UserError, match=r"`data\.b`: 1 to train on; expected at least 2"):
        _refuse_alike({"a": Data([1, 2]), "b": Other([1])})
    _refuse_alike({"data": Data([1])})
    _refuse_alike({"a": Data([1, 2]), "b": Other([1, 2])})
