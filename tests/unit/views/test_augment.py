"""What each kind of augmentation makes of a step, and what cannot go together."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pushforward.core import Clock
from pushforward.errors import UserError
from pushforward.recipes.gan import GANRecipe, LSGANRecipe, R3GANRecipe, VEEGANRecipe, WGANGPRecipe
from pushforward.views import Packing, ViewedCritic
from pushforward.views.apa import PseudoReal
from pushforward.views.diffaugment import DiffAugment

CLOCK = Clock()


def images(b: int = 6, c: int = 3, h: int = 8, w: int = 8, **kind) -> Tensor:
    return torch.rand(b, c, h, w, generator=torch.Generator().manual_seed(1), **kind) * 2 - 1


SMALL = {"network": "dcgan", "width": 4, "latent_dim": 4}


@pytest.mark.parametrize("augment", ["da", "diffaugment", "ada", "apa", "dag", "dag-single"])
@pytest.mark.parametrize("recipe", [GANRecipe, LSGANRecipe, R3GANRecipe, WGANGPRecipe])
@pytest.mark.parametrize("pack", [1, 2])
def test_a_step_of_every_loss_sees_what_it_is_shown(augment, recipe, pack):
    torch.manual_seed(0)
    asked = recipe(**SMALL, augment=augment, pack=pack)
    if augment in ("ada", "apa") and recipe is WGANGPRecipe:
        with pytest.raises(UserError, match="the scores of this loss have no zero"):
            asked.build((3, 16, 16))
        asked = recipe(**SMALL, augment=augment, ada_p=0.5, pack=pack)
    algorithm = asked.build((3, 16, 16))
    x = images(8, 3, 16, 16)
    looks = algorithm.critic(x, algorithm.generate(8), CLOCK)
    assert all(torch.isfinite(score).all() for look in looks for score in look.pair())
    loss = sum(look.fake_scores.mean() for look in algorithm.judged(algorithm.generate(8)))
    gradients = torch.autograd.grad(loss, list(algorithm.generator.parameters()))
    assert all(g.abs().sum() > 0 for g in gradients[-2:])


def test_what_cannot_go_together_is_one_line():
    with pytest.raises(UserError, match=r"`noise`: 0\.1, and `augment`: diffaugment"):
        GANRecipe(**SMALL, augment="diffaugment", noise=0.1).build((3, 16, 16))
    with pytest.raises(UserError, match="`data` holds points"):
        GANRecipe(augment="diffaugment").build((2,))
    with pytest.raises(UserError, match="reads from the critic's scores"):
        VEEGANRecipe(**SMALL, augment="ada").build((3, 16, 16))
    with pytest.raises(
        UserError, match=r"`dag_share`: 0\.5, but `augment` is none; set it to dag or dag-single"
    ):
        GANRecipe(**SMALL, dag_share=0.5).build((3, 16, 16))
    with pytest.raises(
        UserError, match="`da_transforms`: flip, but `augment` is ada; set it to da, or leave"
    ):
        GANRecipe(**SMALL, augment="ada", da_transforms=("flip",)).build((3, 16, 16))
    with pytest.raises(UserError, match="`lecam_after`: 5, but `lecam` is 0"):
        GANRecipe(**SMALL, lecam_after=5).build((3, 16, 16))
    with pytest.raises(UserError, match=r"`consistency_weight`: 1\.0, but `consistency` is none"):
        GANRecipe(**SMALL, consistency_weight=1.0).build((3, 16, 16))
    with pytest.raises(UserError, match=r"`ada_p`: 1.5"):
        GANRecipe(**SMALL, augment="ada", ada_p=1.5).build((3, 16, 16))
    with pytest.raises(UserError, match="perhaps you meant 'color'"):
        DiffAugment(["colour"])


def test_real_data_are_scored_for_a_generators_step_as_they_were_shown():
    torch.manual_seed(0)
    algorithm = R3GANRecipe(**SMALL, augment="da").build((1, 16, 16))
    critic, x = algorithm.critic, images(64, 1, 16, 16)
    torch.manual_seed(1)
    (scores,) = critic.score_real(x, CLOCK)
    torch.manual_seed(1)
    (look,) = critic(x, x, CLOCK)
    assert torch.allclose(scores, look.pair()[0], atol=1e-5)
    assert not torch.allclose(scores, critic.network(x), atol=1e-3)


def test_packs_are_of_what_the_wrapped_view_shows():
    real, fake = images(8, 1, 4, 4), images(8, 1, 4, 4) + 5
    view = Packing(PseudoReal(zero=0.0, fixed=1.0), 2)
    shown, _ = view.show(real, fake, CLOCK)
    assert torch.equal(shown, fake.view(4, 2, 4, 4))
    critic = ViewedCritic(torch.nn.Flatten(), [view])
    assert set(critic.first.report()) == {"augment_p", "augment_r"}
