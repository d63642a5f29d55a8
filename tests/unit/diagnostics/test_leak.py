"""The leak meter: what share of images it calls transformed, of images of which the share is known."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pushforward.core import to_float
from pushforward.data import load_dataset
from pushforward.diagnostics.leak import diagnose_leak, enough, shown_transforms, train_leak_meter
from pushforward.evaluation.images import leak
from pushforward.evaluation.outcome import Effort
from pushforward.metrics.memorisation import share_of
from pushforward.models.model import Model
from pushforward.objectives.annealing import Annealing
from pushforward.recipes.gan import GANRecipe
from pushforward.views import Packing
from pushforward.views.transformed import Transformed
from pushforward.views.transforms import KINDS

TURNS = KINDS["rotation"][:1]


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits", image_size=16)


@pytest.fixture(scope="module")
def meter(digits):
    return train_leak_meter(digits.subset(range(1000)), TURNS)


def mixed(digits, share: float) -> torch.Tensor:
    x = to_float(digits.x[1000:1400])
    n = round(share * len(x))
    return torch.cat([TURNS[0](x[:n]), x[n:]])


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_it_counts_what_was_transformed(digits, meter, share):
    told = meter(mixed(digits, share))
    assert told.value == pytest.approx(share, abs=0.05)
    assert meter.real.value < 0.05


def test_a_leak_is_told_only_where_it_is_one(digits, meter):
    assert diagnose_leak(meter(mixed(digits, 0.0)), meter.real) is None
    found = diagnose_leak(meter(mixed(digits, 0.5)), meter.real)
    assert found.name == "augmentation-leak"
    assert "of samples look like transformed images" in found.evidence
    few = share_of(torch.tensor([True] * 3 + [False] * 7))  # too few to be sure
    assert diagnose_leak(few, share_of(torch.tensor([True] + [False] * 9))) is None


def test_transforms_are_those_of_the_critics_views(digits):
    views = nn.ModuleList([Packing(Transformed(t, weight=1.0), 2) for t in KINDS["flip"]])
    assert shown_transforms(views) == list(KINDS["flip"])
    recipe = GANRecipe(network="dcgan", width=4, latent_dim=4, augment="dag", dag_transforms=("fliprot",))
    assert shown_transforms(recipe.build(digits.shape)) == list(KINDS["fliprot"])
    assert shown_transforms(GANRecipe().build(digits.shape)) == []


def test_evaluation_tells_it_beside_real_images(digits):
    torch.manual_seed(0)
    recipe = GANRecipe(network="dcgan", width=4, latent_dim=4, augment="dag")
    model = Model(recipe.build(digits.shape), {"method": "gan", "shape": digits.shape, "step": 0})
    train, held_out = digits.subset(range(200)), digits.subset(range(200, 300))
    effort = Effort(annealing=Annealing(), reference=held_out, train=train, samples=100)
    (metric,) = leak(model, held_out, effort).metrics
    assert metric.name == "leak"
    assert metric.floor < 0.2
    (skipped,) = leak(model, held_out, Effort(annealing=Annealing(), reference=held_out)).skipped
    assert "there are none" in skipped.reason
    assert not enough(digits.subset(range(30)))
