"""What a critic sees: nothing added, noise that ends, packs of neighbours; and how it is scored."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pushforward.algorithms.adversarial import critic_terms, generator_terms
from pushforward.algorithms.gan import GAN, GANHyperparameters
from pushforward.core import Clock
from pushforward.errors import UserError
from pushforward.networks.critic import Critic
from pushforward.networks.dcgan import dcgan_critic
from pushforward.networks.gan_mlp import mlp_critic
from pushforward.objectives.adversarial import minimax_critic, nonsaturating_generator
from pushforward.views import Identity, InstanceNoise, Packing, View, ViewedCritic

B = 12
IMAGE = (1, 16, 16)


class Mirror(View):
    """The negative."""

    def forward(self, x: Tensor, clock: Clock) -> Tensor:
        return -x


class Counted(nn.Module):
    """A trunk that remembers what it was given."""

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk, self.given = trunk, []

    def forward(self, x: Tensor) -> Tensor:
        self.given.append(x.detach().clone())
        return self.trunk(x)


def counted(critic: Critic) -> Critic:
    critic.trunk = Counted(critic.trunk)
    return critic


def points(n: int = B) -> tuple[Tensor, Tensor]:
    return torch.randn(n, 2), torch.randn(n, 2) + 1


# -- views by themselves -----------------------------------------------------------------------------


def test_identity_is_the_thing_itself():
    x = torch.randn(B, 2)
    assert Identity()(x, Clock()) is x


@pytest.mark.parametrize(("until", "shares"), [(1.0, (1, 0.75, 0.5, 0.25, 0)), (0.5, (1, 0.5, 0, 0, 0))])
def test_noise_falls_to_nothing_with_the_clock(until, shares):
    noise, x = InstanceNoise(0.3, until=until), torch.zeros(100, 1000)
    for step, share in enumerate(shares):
        clock = Clock(step=step, steps=4)
        assert noise.std_at(clock) == pytest.approx(0.3 * share)
        assert (noise(x, clock)).std().item() == pytest.approx(0.3 * share, rel=0.02, abs=1e-9)
    assert noise(x, Clock(step=4, steps=4)) is x


def test_noise_is_fresh_at_each_look_and_for_real_and_fake():
    critic = ViewedCritic(nn.Identity(), [InstanceNoise(1.0)])
    same = torch.zeros(B, 1)
    (first,), (second,) = (critic(same, same, Clock()) for _ in range(2))
    assert not torch.equal(*first.seen())
    assert not torch.equal(first.fake, second.fake)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: InstanceNoise(0.0), "`noise`: 0.0; expected a positive"),
        (lambda: InstanceNoise(float("nan")), "`noise`: nan"),
        (lambda: InstanceNoise(0.1, until=0.0), "`noise_until`: 0.0; expected a share"),
        (lambda: InstanceNoise(0.1, until=1.5), "`noise_until`: 1.5; expected a share"),
        (lambda: Packing(Identity(), 1), "`pack`: 1; expected at least 2"),
    ],
)
def test_views_refuse_what_cannot_be(make, said):
    with pytest.raises(UserError, match=said):
        make()


@pytest.mark.parametrize("m", [2, 3, 4])
def test_a_pack_is_m_neighbours(m):
    x = torch.arange(B * 2).view(B, 2).float()
    packed = Packing(Identity(), m)(x, Clock())
    assert packed.shape == (B // m, 2 * m)
    for i, pack in enumerate(packed):
        assert torch.equal(pack, torch.cat([x[m * i + j] for j in range(m)]))


def test_images_are_packed_along_their_channels():
    x = torch.randn(B, 3, 4, 5)
    packed = Packing(Identity(), 3)(x.contiguous(memory_format=torch.channels_last), Clock())
    assert packed.shape == (B // 3, 9, 4, 5)
    assert torch.equal(packed[1], torch.cat([x[3], x[4], x[5]]))


def test_packing_wraps_a_view_with_its_weights_and_head():
    head = nn.Linear(3, 1)
    inner = Mirror(weight_critic=2.0, weight_generator=3.0, head=head)
    packing = Packing(inner, 2)
    x = torch.randn(B, 2)
    assert torch.equal(packing(x, Clock()), -x.view(B // 2, 4))
    assert (packing.weight_critic, packing.weight_generator, packing.head) == (2.0, 3.0, head)
    noisy = Packing(InstanceNoise(1.0), 2)(torch.zeros(B, 2), Clock())
    assert len(noisy.unique()) == 2 * B  # each sample of a pack has noise of its own


def test_a_batch_that_packs_do_not_divide_is_refused_also_beforehand():
    packing = Packing(Identity(), 5)
    with pytest.raises(UserError, match=r"`pack`: 5 does not divide 12.*multiple"):
        packing(torch.randn(B, 2), Clock())
    with pytest.raises(UserError, match=r"`pack`: 5 does not divide 12.*`batch_size`"):
        packing.check_batch(12)
    packing.check_batch(15)
    Identity().check_batch(7)


def test_a_model_asks_its_views():
    network = mlp_critic((4,), (8,))
    model = GAN(
        generator=nn.Linear(3, 2),
        critic=ViewedCritic(network, [Packing(Identity(), 2)]),
        hyper=GANHyperparameters(latent_dim=3),
    )
    model.check_batch(8)
    with pytest.raises(UserError, match="`pack`: 2 does not divide 7"):
        model.check_batch(7)


# -- scoring -----------------------------------------------------------------------------------------


def test_one_view_and_no_view_are_the_network():
    network, (real, fake) = mlp_critic((2,), (8,)), points()
    for views in ([], [Identity()]):
        (look,) = ViewedCritic(network, views)(real, fake, Clock())
        assert torch.allclose(look.real_scores, network(real), atol=1e-6)
        assert torch.allclose(look.fake_scores, network(fake), atol=1e-6)
        assert look.seen() == (real, fake)


def test_real_and_fake_are_scored_in_one_pass():
    network, (real, fake) = counted(mlp_critic((2,), (8,))), points()
    ViewedCritic(network)(real, fake, Clock())
    assert [len(x) for x in network.trunk.given] == [2 * B]


def test_fakes_alone_are_scored_alone():
    network, (_, fake) = counted(mlp_critic((2,), (8,))), points()
    (look,) = ViewedCritic(network)(None, fake, Clock())
    assert [len(x) for x in network.trunk.given] == [B]
    assert look.real is None
    assert look.real_scores is None


@pytest.mark.parametrize("heads", ["own", "mixed", "shared"])
def test_several_views_share_one_trunk_pass_and_score_as_in_passes_of_their_own(heads):
    network, (real, fake) = counted(mlp_critic((2,), (8,))), points()
    first = nn.Linear(8, 1) if heads == "own" else None
    second = None if heads == "shared" else nn.Linear(8, 1)
    critic = ViewedCritic(network, [Identity(head=first), Mirror(head=second)])
    looks = critic(real, fake, Clock())
    assert [len(x) for x in network.trunk.given] == [4 * B]
    trunk = network.trunk.trunk
    for look, head, sign in zip(looks, (first, second), (1, -1), strict=True):
        head = network.head if head is None else head
        assert torch.allclose(look.real_scores, head(trunk(sign * real)), atol=1e-6)
        assert torch.allclose(look.fake_scores, head(trunk(sign * fake)), atol=1e-6)
        assert torch.allclose(look.critic(sign * fake), look.fake_scores, atol=1e-6)


def test_several_views_without_heads_need_no_trunk():
    network = nn.Linear(2, 1)
    real, fake = points()
    looks = ViewedCritic(network, [Identity(), Mirror()])(real, fake, Clock())
    assert torch.allclose(looks[1].real_scores, network(-real), atol=1e-6)


def test_a_head_may_be_an_empty_container():
    """`nn.Sequential()` is false in Python, and yet it is a head."""
    network, (real, fake) = Critic(nn.Linear(2, 1), nn.Linear(1, 1)), points()
    (look,) = ViewedCritic(network, [Identity(head=nn.Sequential())])(real, fake, Clock())
    assert torch.allclose(look.real_scores, network.trunk(real), atol=1e-6)


@pytest.mark.parametrize("views", [1, 2])
def test_batch_norm_never_sees_real_and_fake_together(views):
    network = counted(dcgan_critic(IMAGE, width=4, normalisation="batch"))
    critic = ViewedCritic(network, [Identity(), Mirror(head=network.head)][:views])
    real, fake = torch.zeros(B, *IMAGE), torch.ones(B, *IMAGE)
    critic(real, fake, Clock())
    assert [len(x) for x in network.trunk.given] == [B] * 2 * views
    assert all(len(x.unique()) == 1 for x in network.trunk.given)


def test_pairs_keep_their_codes():
    network = mlp_critic((2,), (8,), codes=3)
    real, fake = points()
    codes = torch.randn(B, 3), torch.randn(B, 3)
    for views in ([Identity()], [Identity(), Mirror()]):
        looks = ViewedCritic(network, views)(real, fake, Clock(), codes=codes)
        for look, sign in zip(looks, (1, -1), strict=False):
            assert torch.allclose(look.real_scores, network(sign * real, codes[0]), atol=1e-6)
            assert torch.allclose(look.fake_scores, network(sign * fake, codes[1]), atol=1e-6)
        alone = ViewedCritic(network, views)(None, fake, Clock(), codes=codes)
        assert torch.allclose(alone[0].fake_scores, network(fake, codes[1]), atol=1e-6)


def test_pairs_by_a_head_of_their_own():
    network = mlp_critic((2,), (8,), codes=3)
    head = nn.Linear(5, 1)
    real, fake = points()
    codes = torch.randn(B, 3), torch.randn(B, 3)
    (look,) = ViewedCritic(network, [Mirror(head=head)])(real, fake, Clock(), codes=codes)
    assert torch.allclose(look.fake_scores, head(torch.cat([-fake, codes[1]], 1)), atol=1e-6)
    assert torch.allclose(look.critic(-fake, codes[1]), look.fake_scores, atol=1e-6)
    assert look.codes == codes


def test_a_head_scores_real_and_fake_in_one_pass():
    """Two passes would be two power iterations of its spectral norm a step."""
    network, (real, fake) = mlp_critic((2,), (8,)), points()
    heads = [Counted(nn.Linear(8, 1)) for _ in range(2)]
    ViewedCritic(network, [Identity(head=heads[0]), Mirror(head=heads[1])])(real, fake, Clock())
    assert [[len(x) for x in head.given] for head in heads] == [[2 * B], [2 * B]]


def test_a_head_with_batch_norm_never_sees_real_and_fake_together():
    head = Counted(nn.BatchNorm1d(8))
    critic = ViewedCritic(mlp_critic((2,), (8,)), [Identity(head=nn.Sequential(head, nn.Linear(8, 1)))])
    critic(*points(), Clock())
    assert [len(x) for x in head.given] == [B, B]


def test_weights_of_views_are_applied():
    network, (real, fake) = mlp_critic((2,), (8,)), points()
    views = [
        Identity(weight_critic=2.0, weight_generator=0.5),
        Mirror(weight_critic=3.0, weight_generator=4.0),
    ]
    critic = ViewedCritic(network, views)
    looks = critic(real, fake, Clock())
    of_critic = [minimax_critic(network(s * real), network(s * fake)) for s in (1, -1)]
    assert torch.allclose(critic_terms(looks, minimax_critic), 2 * of_critic[0] + 3 * of_critic[1])
    of_generator = [nonsaturating_generator(network(s * fake)) for s in (1, -1)]
    terms = generator_terms(critic(None, fake, Clock()), nonsaturating_generator)
    assert torch.allclose(terms, 0.5 * of_generator[0] + 4 * of_generator[1])


def test_what_is_seen_requires_a_gradient_where_it_is_asked_for():
    critic, (real, fake) = ViewedCritic(mlp_critic((2,), (8,)), [InstanceNoise(0.1)]), points()
    (look,) = critic(real, fake, Clock(), differentiable=True)
    gradients = torch.autograd.grad(look.real_scores.sum() + look.fake_scores.sum(), look.seen())
    assert all((g != 0).any() for g in gradients)
    assert not real.requires_grad
    assert not any(x.requires_grad for x in critic(real, fake, Clock())[0].seen())


def test_scores_are_float32_under_bf16_and_stay_double_in_double():
    """A mean of scores in bfloat16 has three digits, of which a distance is the difference."""
    network, (real, fake) = mlp_critic((2,), (8,)), points()
    for views in ([Identity()], [Identity(), Mirror(head=nn.Linear(8, 1))]):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            looks = ViewedCritic(network, views)(real, fake, Clock())
        assert all(s.dtype == torch.float32 for look in looks for s in look.pair())
    (look,) = ViewedCritic(network.double())(real.double(), fake.double(), Clock())
    assert look.real_scores.dtype == torch.float64


def test_the_generators_gradient_is_the_same_with_and_without_one_pass():
    """R3GAN's and GAN's fakes may be scored beside real data or alone."""
    network, (real, fake) = mlp_critic((2,), (8,)), points()
    fake.requires_grad_()
    beside = ViewedCritic(network)(real, fake, Clock())[0].fake_scores
    alone = ViewedCritic(network)(None, fake, Clock())[0].fake_scores
    a, b = (torch.autograd.grad(nonsaturating_generator(s), fake)[0] for s in (beside, alone))
    assert torch.allclose(a, b, atol=1e-7)


def test_heads_of_views_belong_to_the_critic():
    head = nn.Linear(8, 1)
    critic = ViewedCritic(mlp_critic((2,), (8,)), [Identity(), Mirror(head=head)])
    assert {id(p) for p in head.parameters()} <= {id(p) for p in critic.parameters()}
