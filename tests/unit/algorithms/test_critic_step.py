"""A critic's step: what it minimises, what it reports, and what views and penalties learn of it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn

from pushforward.algorithms.adversarial import critic_step, critic_terms, distance
from pushforward.algorithms.gan import GAN, GANHyperparameters
from pushforward.core import Batch, Clock, Update
from pushforward.networks.gan_mlp import mlp_critic, mlp_generator
from pushforward.objectives.adversarial import wasserstein_critic
from pushforward.training.distributed import World
from pushforward.training.optim import build_optimizers
from pushforward.training.steps import Stepper
from pushforward.views import GradientPenalty, Identity, Packing, Penalty, View, ViewedCritic
from tests.runs import assert_same, trainer, weights

B = 8


class Curious(View):
    """Remembers the mean score of real data, and how many images the run had seen."""

    def __init__(self, **options) -> None:
        super().__init__(**options)
        self.register_buffer("mean", torch.zeros(2))
        self.register_buffer("images", torch.zeros(()))

    def forward(self, x: Tensor, clock: Clock) -> Tensor:
        return x

    def statistics(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        assert not real.requires_grad
        assert not fake.requires_grad
        return {"mean": torch.stack([real.mean(), fake.mean()])}

    def observe(self, averages: Mapping[str, Tensor], images_seen: int) -> None:
        self.mean.copy_(averages["mean"])
        self.images.fill_(images_seen)


class Anchored(nn.Module, Penalty):
    """E D(x)² about a mean that it learns."""

    weight = 3.0

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, looks) -> dict[str, Tensor]:
        return {"anchor": sum((look.real_scores - self.mean).square().mean() for look in looks)}

    def statistics(self, looks) -> dict[str, Tensor]:
        return {"mean": torch.stack([look.real_scores.detach().mean() for look in looks]).mean()}

    def observe(self, averages: Mapping[str, Tensor], images_seen: int) -> None:
        self.mean.copy_(averages["mean"])


def looks(*views: View) -> list:
    torch.manual_seed(0)
    critic = ViewedCritic(mlp_critic((2 * max(v.at_once for v in views),), (16,)), views)
    return critic(torch.randn(B, 2), torch.randn(B, 2) + 1, Clock(step=3, steps=9, images=240))


def taken(steps) -> tuple[Update, dict[str, Tensor]]:
    """The only update of it, handed back as one process does."""
    update = next(steps)
    answer = update.answer()
    with pytest.raises(StopIteration):
        steps.send(answer)
    return update, answer


def test_penalties_are_in_the_loss_and_not_in_the_distance():
    seen = looks(Identity(), Identity(weight_critic=0.5))
    penalties = [GradientPenalty(7.0), Anchored()]
    update, _ = taken(critic_step(seen, wasserstein_critic, penalties=penalties, info=distance))
    terms = critic_terms(seen, wasserstein_critic)
    assert torch.equal(update.info["distance"], -wasserstein_critic(*seen[0].pair()))
    assert not torch.equal(update.info["distance"], -terms)  # other views show other data
    assert set(update.info) == {"distance", "penalty", "anchor"}
    expected = terms + 7 * update.info["penalty"] + 3 * update.info["anchor"]
    assert update.losses["critic"].item() == pytest.approx(expected.item(), rel=1e-6)
    assert list(update.losses) == ["critic"]


def test_another_player_others_at_once_and_a_prefix():
    bystander = torch.zeros(())
    names = {"player": "d_a", "prefix": "a/"}
    steps = critic_step(
        looks(Identity()), wasserstein_critic, info=distance, others={"g": bystander}, **names
    )
    update, _ = taken(steps)
    assert set(update.losses) == {"d_a", "g"}
    assert update.losses["g"] is bystander
    assert set(update.info) == {"a/distance"}


def test_views_and_penalties_learn_what_was_averaged_and_nothing_of_it_is_logged():
    first, second, anchor = Curious(), Curious(weight_critic=2.0), Anchored()
    seen = looks(first, Identity(), second)
    steps = critic_step(seen, wasserstein_critic, penalties=[anchor])
    update = next(steps)
    assert set(update.info) == {"anchor"}
    assert first.images == 0  # the critic moves first
    answer = {name: v + 10 for name, v in update.answer().items()}
    with pytest.raises(StopIteration):
        steps.send(answer)
    means = torch.stack([s.mean() for s in seen[0].pair()]).detach()
    assert torch.allclose(first.mean, means + 10)
    assert torch.allclose(second.mean, means + 10)
    assert torch.allclose(anchor.mean, means[0] + 10)
    assert (first.images, second.images) == (240, 240)


def test_a_packed_view_learns_from_packs():
    inner = Curious()
    seen = looks(Packing(inner, 2))
    taken(critic_step(seen, wasserstein_critic))
    assert len(seen[0].real_scores) == B // 2
    assert torch.allclose(inner.mean, torch.stack([s.mean() for s in seen[0].pair()]))
    assert Packing(Packing(inner, 2), 3).at_once == 6


def curious_gan() -> GAN:
    critic = ViewedCritic(mlp_critic((1, 8, 8), (16,)), [Identity(), Curious()])
    return GAN(
        generator=mlp_generator(3, (8,), (1, 8, 8)), critic=critic, hyper=GANHyperparameters(latent_dim=3)
    )


class Halving(World):
    """Two processes, of which the other's values are all zero."""

    def mean_(self, tensor: Tensor) -> None:
        tensor /= 2


def test_what_a_view_learns_is_the_mean_over_processes():
    torch.manual_seed(0)
    model = curious_gan()
    x = torch.randn(B, 1, 8, 8)
    players = model.players()
    stepper = Stepper(model, players, build_optimizers(players), world=Halving(rank=0, size=2))
    before = model.critic.network(x).mean().item()
    stepper(lambda: Batch(x, None, torch.arange(B)))
    assert model.critic.views[1].mean[0].item() == pytest.approx(before / 2, rel=1e-4)


def test_what_a_view_learned_is_resumed(tmp_path):
    whole = trainer(tmp_path / "whole", curious_gan, steps=8)
    whole.start()
    whole.run()
    view = whole.algorithm.critic.views[1]
    assert view.images == 7 * 6
    cut = trainer(tmp_path / "cut", curious_gan, steps=8)
    cut.start()
    for _ in range(4):
        cut.one_step()
    cut.save()
    again = trainer(tmp_path / "cut", curious_gan, steps=8)
    again.resume()
    again.run()
    assert_same(weights(whole.algorithm), weights(again.algorithm))
