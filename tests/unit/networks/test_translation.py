"""Networks of translation: the patch that a score is of, and images of any size."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pushforward.errors import UserError
from pushforward.networks.translation import FIELDS, TranslationGenerator, patch_critic


def without_norm(module: nn.Module) -> nn.Module:
    """Instance normalisation makes every score depend on the whole image, if weakly."""
    for name, child in list(module.named_children()):
        setattr(module, name, nn.Identity() if isinstance(child, nn.InstanceNorm2d) else without_norm(child))
    return module


@pytest.mark.parametrize("halvings", FIELDS)
def test_a_score_is_of_a_patch_of_the_size_that_is_said(halvings):
    side = 2 * FIELDS[halvings] + 16
    critic = without_norm(patch_critic((1, side, side), width=2, halvings=halvings)).double()
    x = torch.randn(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    scores = critic(x)
    middle = scores.shape[-1] // 2
    (gradient,) = torch.autograd.grad(scores[0, 0, middle, middle], [x])
    rows, columns = (gradient[0, 0] != 0).any(1), (gradient[0, 0] != 0).any(0)
    assert rows.sum() == columns.sum() == FIELDS[halvings]


@pytest.mark.parametrize(("side", "halvings"), [(16, 1), (33, 1), (34, 2), (69, 2), (70, 3), (256, 3)])
def test_the_patch_is_the_largest_that_fits(side, halvings):
    ours, named = (patch_critic((3, side, side), width=2, halvings=n) for n in (None, halvings))
    assert [p.shape for p in ours.parameters()] == [p.shape for p in named.parameters()]
    with torch.no_grad():
        assert ours(torch.randn(2, 3, side, side)).shape[:2] == (2, 1)


@pytest.mark.parametrize("size", [(8, 8), (16, 24), (17, 30), (31, 9)])
def test_a_generator_takes_any_size_and_gives_it_back(size):
    x = torch.randn(2, 3, *size)
    made = TranslationGenerator(3, width=2, blocks=1)(x)
    assert made.shape == x.shape
    assert made.abs().max() <= 1


def test_an_image_too_small_for_a_generator_is_refused():
    with pytest.raises(UserError, match="7x9; expected sides of at least 8"):
        TranslationGenerator(3, width=2, blocks=1)(torch.zeros(1, 3, 7, 9))


def test_weights_start_with_a_deviation_of_two_hundredths():
    weights = [p for p in TranslationGenerator(3, width=16, blocks=2).parameters() if p.ndim == 4]
    every = torch.cat([w.flatten() for w in weights])
    assert every.std().item() == pytest.approx(0.02, rel=0.02)
    assert every.mean().item() == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(("blocks", "depths"), [(0, 3), (1, 4), (4, 4), (5, 5), (9, 5)])
def test_an_encoder_is_the_generators_own_first_layers(blocks, depths):
    generator = TranslationGenerator(3, width=2, blocks=blocks)
    x = torch.randn(2, 3, 17, 24)
    made, found = generator.with_features(x)
    assert torch.equal(made, generator(x))
    assert [f.shape[1] for f in found] == generator.feature_channels
    assert [tuple(f.shape[2:]) for f in found] == [(20, 24), (10, 12), *[(5, 6)] * (depths - 2)]
    assert torch.equal(found[0][..., :17, :24], x)
    for one, other in zip(generator.features(x), found, strict=True):
        assert torch.equal(one, other)


def test_the_depths_are_halvings_and_the_first_and_fifth_block():
    layers = TranslationGenerator(3, width=2, blocks=9).layers
    depths = TranslationGenerator(3, width=2, blocks=9).depths
    assert [type(layers[i]).__name__ for i in depths] == [
        "ChannelsLast",
        "Conv2d",
        "Conv2d",
        *["TranslationBlock"] * 2,
    ]
    assert depths[4] - depths[3] == 4
    assert not isinstance(layers[depths[3] - 1], type(layers[depths[3]]))
