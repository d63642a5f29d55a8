"""LeCam and consistency: their values by hand, their gradients by differences, and what they remember."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pushforward.core import Clock
from pushforward.errors import UserError
from pushforward.networks.critic import Critic
from pushforward.networks.gan_mlp import mlp_critic
from pushforward.recipes.gan import GANRecipe, VEEGANRecipe
from pushforward.views import Identity, ViewedCritic
from pushforward.views import consistency as consistency_module
from pushforward.views.consistency import Consistency, changed
from pushforward.views.lecam import LeCam

SHAPE = (1, 8, 8)


def images(seed: int, n: int = 6) -> Tensor:
    return torch.rand(n, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def viewed(weights: tuple[float, ...] = (1.0,), **how) -> ViewedCritic:
    torch.manual_seed(0)
    network = mlp_critic(SHAPE, (7,))
    views = [Identity(weight_critic=w, head=network.new_head() if i else None) for i, w in enumerate(weights)]
    return ViewedCritic(network, views, **how).double()


def looks_of(critic: ViewedCritic, codes=None):
    return critic(images(1), images(2), Clock(), codes=codes)


def test_lecam_is_the_papers_equation_by_view():
    critic = viewed((1.0, 0.5))
    penalty = LeCam(0.3, views=2).double()
    penalty.averages.copy_(torch.tensor([[0.1, -0.2], [0.4, 0.3]]))
    penalty.heard.fill_(1)
    looks = looks_of(critic)
    expected = 0.0
    for w, (of_real, of_fake), look in zip((1.0, 0.5), penalty.averages.tolist(), looks, strict=True):
        real, fake = look.pair()
        expected += w * ((real - of_fake) ** 2).mean().item() + w * ((fake - of_real) ** 2).mean().item()
    assert penalty(looks)["lecam"].item() == pytest.approx(expected, rel=1e-6)


def test_averages_begin_with_the_first_batch_and_move_by_a_hundredth():
    critic, penalty = viewed(), LeCam(0.3, views=1).double()
    for step in range(3):
        told = {"0": torch.tensor([1.0 + step, -1.0 - step], dtype=torch.float64)}
        penalty.observe(told, 0)
    expected = 0.99 * (0.99 * 1 + 0.01 * 2) + 0.01 * 3
    assert penalty.averages[0].tolist() == pytest.approx([expected, -expected])
    (means,) = penalty.statistics(looks_of(critic)).values()
    assert means.tolist() == pytest.approx([s.mean().item() for s in looks_of(critic)[0].pair()])


def test_it_is_off_until_it_has_heard_enough():
    critic, penalty = viewed(), LeCam(0.3, views=1, after=2).double()
    for heard in range(4):
        assert (penalty(looks_of(critic))["lecam"].item() > 0) == (heard > 2)
        penalty.observe(penalty.statistics(looks_of(critic)), 0)


def test_views_that_are_not_shown_keep_their_averages():
    critic = viewed((1.0, 0.5, 0.5), sampled=1)
    penalty = LeCam(0.3, views=3).double()
    looks = critic(images(1), images(2), Clock(step=3))
    penalty.observe(penalty.statistics(looks), 0)
    shown = {next(i for i, v in enumerate(critic.views) if v is look.view) for look in looks}
    moved = {i for i, row in enumerate(penalty.averages) if row.abs().sum() > 0}
    assert moved == shown == {0, *shown}
    assert len(shown) == 2


@pytest.mark.parametrize("both", [False, True])
def test_consistency_is_the_squared_gap_of_scores(both, monkeypatch):
    monkeypatch.setattr(consistency_module, "changed", lambda x: x.flip(3))
    critic = viewed((1.0, 0.25))
    looks = looks_of(critic)
    told = Consistency(10.0, both=both)(looks)
    for side, name in ((0, "consistency"), (1, "consistency_fake"))[: 1 + both]:
        expected = sum(
            w * (look.pair()[side] - look.critic(look.seen()[side].flip(3))).square().mean().item()
            for w, look in zip((1.0, 0.25), looks, strict=True)
        )
        assert told[name].item() == pytest.approx(expected, rel=1e-6)
    assert ("consistency_fake" in told) == both


@pytest.mark.parametrize("make", [lambda: LeCam(0.3, views=1), lambda: Consistency(10.0, both=True)])
def test_gradients_agree_with_differences(make):
    critic, penalty = viewed(), make().double()
    if isinstance(penalty, LeCam):
        penalty.averages.copy_(torch.tensor([[0.3, -0.4]]))
        penalty.heard.fill_(1)

    def value() -> Tensor:
        torch.manual_seed(7)
        return sum(penalty(looks_of(critic)).values())

    weight = critic.network.head.weight
    (gradient,) = torch.autograd.grad(value(), [weight])
    with torch.no_grad():
        for i in range(3):
            old = weight[0, i].item()
            ends = []
            for step in (1e-5, -1e-5):
                weight[0, i] = old + step
                ends.append(value().item())
            weight[0, i] = old
            assert gradient[0, i].item() == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-4, abs=1e-8)


def test_moved_copies_are_mirrored_half_of_the_time_and_shifted(monkeypatch):
    torch.manual_seed(0)
    x = images(1, 400)
    assert not torch.equal(changed(x), x)
    monkeypatch.setattr(consistency_module, "translation", lambda x: x)
    moved = changed(x)
    plain = (moved == x).flatten(1).all(1)
    assert 150 < plain.sum() < 250
    assert torch.equal(moved[~plain], x[~plain].flip(3))


class OfPairs(Critic):
    """Scores z alone."""

    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(1, 1))

    def forward(self, x, z=None):
        return z


def test_each_side_keeps_its_own_codes():
    critic = ViewedCritic(OfPairs(), [Identity()])
    codes = (torch.ones(6, 1), torch.full((6, 1), 5.0))
    told = Consistency(1.0, both=True)(critic(images(1), images(2), Clock(), codes=codes))
    assert all(value.item() == 0 for value in told.values())


def test_options_reach_the_critic_and_bad_ones_are_refused():
    small = {"network": "dcgan", "width": 4, "latent_dim": 4}
    critic = GANRecipe(**small, lecam=0.3, consistency="bcr", augment="dag").build((1, 16, 16)).critic
    assert [type(p).__name__ for p in critic.penalties] == ["LeCam", "Consistency"]
    assert critic.penalties[0].averages.shape == (4, 2)
    assert len(VEEGANRecipe(**small, consistency="cr").build((1, 16, 16)).critic.penalties) == 1
    for options, message in (
        ({"lecam": -1.0}, "`lecam`: -1.0; expected a positive weight"),
        ({"lecam": 0.3, "lecam_after": -1}, "`lecam_after`: -1"),
        ({"consistency": "cr", "consistency_weight": 0.0}, "`consistency_weight`: 0.0"),
    ):
        with pytest.raises(UserError, match=message):
            GANRecipe(**small, **options).build((1, 16, 16))
    with pytest.raises(UserError, match="`data` holds points"):
        GANRecipe(consistency="cr").build((2,))


def test_a_head_that_is_first_drawn_late_begins_with_its_own_batch():
    critic, penalty = viewed((1.0, 1.0, 1.0)), LeCam(0.3, views=3).double()
    looks = looks_of(critic)
    for shown in ([looks[0], looks[1]], [looks[0], looks[1]], [looks[0], looks[2]]):
        terms = penalty.statistics(shown)
        penalty.observe(terms, 0)
    torch.testing.assert_close(penalty.averages[2], terms["2"], rtol=0, atol=0)
    assert penalty.heard.tolist() == [3, 2, 1]


def test_a_head_that_was_never_shown_adds_no_penalty():
    critic, penalty = viewed((1.0, 1.0)), LeCam(0.3, views=2).double()
    first, other = looks_of(critic)
    penalty.observe(penalty.statistics([first]), 0)
    assert penalty([other])["lecam"].item() == 0
    assert penalty([first])["lecam"].item() > 0
