"""Further heads of a critic: of the same kind, with weights of their own, normalised with the rest."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from pushforward.core import Clock
from pushforward.errors import UserError
from pushforward.networks.critic import Critic
from pushforward.networks.dcgan import dcgan_critic
from pushforward.networks.gan_mlp import maxout_critic, mlp_critic
from pushforward.networks.residual import residual_critic
from pushforward.recipes.gan import GANRecipe, VEEGANRecipe
from pushforward.views import Identity, View, ViewedCritic

IMAGE = (1, 16, 16)
FAMILIES = {
    "mlp": lambda **options: mlp_critic(IMAGE, (64, 32), **options),
    "maxout": lambda **options: maxout_critic(IMAGE, (64, 32), **options),
    "dcgan": lambda **options: dcgan_critic(IMAGE, width=8, normalisation="none", **options),
    "dcgan, batch": lambda **options: dcgan_critic(IMAGE, width=8, normalisation="batch", **options),
    "residual": lambda **options: residual_critic(IMAGE, width=8, **options),
}


@pytest.mark.parametrize("codes", [0, 3])
@pytest.mark.parametrize("family", list(FAMILIES))
def test_a_new_head_is_of_the_same_kind_and_starts_as_the_first_does(family, codes):
    critic: Critic = FAMILIES[family](codes=codes)
    head = critic.new_head()
    theirs, mine = dict(critic.head.named_parameters()), dict(head.named_parameters())
    assert {k: p.shape for k, p in mine.items()} == {k: p.shape for k, p in theirs.items()}
    for name, p in mine.items():
        if p.numel() >= 30 and theirs[name].any():  # biases may start at 0
            assert not torch.equal(p, theirs[name])
            assert (p.std() / theirs[name].std()).item() == pytest.approx(1, abs=0.5)
    x, z = torch.randn(5, *IMAGE), torch.randn(5, codes) if codes else None
    (look,) = ViewedCritic(critic.eval(), [Identity(head=head.eval())])(
        x, x, Clock(), codes=None if z is None else (z, z)
    )
    features = critic.trunk(x)
    expected = head(features if z is None else torch.cat([features, z], 1))
    assert torch.allclose(look.real_scores, expected, atol=1e-5)


def test_a_head_that_would_miss_the_spectral_norm_is_refused():
    with pytest.raises(UserError, match="`new_head`: the critic's weights are normalised already"):
        mlp_critic((2,), (8,), spectral_norm=True).new_head()
    with pytest.raises(UserError, match="`another`: None"):
        Critic(nn.Identity(), nn.Linear(2, 1)).new_head()


class Mirror(View):
    def forward(self, x: Tensor, clock: Clock) -> Tensor:
        return x.flip(-1)


@dataclass(kw_only=True)
class Mirrored(GANRecipe):
    """A recipe one of whose views has a head of its own."""

    def views(self, network: Critic, shape: Shape) -> list[View]:
        return [*super().views(network, shape), Mirror(head=network.new_head())]


@dataclass(kw_only=True)
class MirroredPairs(VEEGANRecipe):
    def views(self, network: Critic, shape: Shape) -> list[View]:
        return [*super().views(network, shape), Mirror(head=network.new_head())]


@pytest.mark.parametrize("recipe", [Mirrored, MirroredPairs])
@pytest.mark.parametrize("network", ["mlp", "maxout", "dcgan", "residual"])
def test_a_recipes_heads_start_and_are_normalised_as_the_critic_is(recipe, network):
    torch.manual_seed(0)
    options = {"network": network, "hidden": (32,), "width": 8, "latent_dim": 4}
    model = recipe(**options, critic_norm="spectral", init_std=0.5).build(IMAGE)
    head = model.critic.views[1].head
    affine = [m for m in model.critic.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    assert all(is_parametrized(m, "weight") for m in affine)
    first, *_ = (m for m in head.modules() if isinstance(m, nn.Linear))
    original = first.parametrizations.weight.original
    assert original.std().item() == pytest.approx(0.5, rel=0.35)  # `init_std` reaches them, too
    owned = [id(p) for p in model.critic.network.parameters()]
    assert id(original) not in owned


def test_heads_are_learned_and_copied_with_the_model():
    model = copy.deepcopy(Mirrored(network="mlp", latent_dim=4, hidden=(8,)).build((2,)))
    head = model.critic.views[1].head
    owned = {id(p) for p in model.players()["critic"].parameters()}
    assert {id(p) for p in head.parameters()} <= owned
    assert model.critic.network.new_head()(torch.randn(3, 8)).shape == (3, 1)
