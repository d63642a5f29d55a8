"""FastGAN's generator: any size from 32 pixels, gates on the channels of finer maps."""

from __future__ import annotations

import pytest
import torch

from pushforward.networks.fastgan import SkipExcitation, fastgan_generator
from pushforward.recipes.gan import GANRecipe, R3GANRecipe
from pushforward.streams import Classes


@pytest.mark.parametrize(
    ("side", "gates", "span"), [(32, 1, 2), (33, 2, 3), (64, 1, 3), (128, 1, 4), (256, 2, 4)]
)
def test_gates_skip_what_the_paper_skips_from_128_pixels(side, gates, span):
    network = fastgan_generator(8, (3, side, side), width=2)
    assert len(network.gates) == gates or side == 33
    assert network.span == span or side == 33
    assert network.eval()(torch.randn(2, 8)).shape == (2, 3, side, side)


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 64, 64), (4, 128, 128), (1, 33, 47)])
def test_images_are_bounded_and_every_weight_learns(shape, batch_norm):
    torch.manual_seed(0)
    network = fastgan_generator(8, shape, width=4, batch_norm=batch_norm)
    images = network(torch.randn(4, 8))
    assert images.shape == (4, *shape)
    assert images.abs().max() <= 1
    assert images.std() > 1e-3
    images.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_a_gate_multiplies_channels_alone():
    gate = SkipExcitation(3, 2)
    coarse, fine = torch.randn(2, 3, 8, 8), torch.randn(2, 2, 32, 32)
    factor = gate(coarse, fine) / fine
    assert factor.std((2, 3)).max() < 1e-5
    assert factor.min() > 0
    assert factor.max() < 1


def test_it_is_an_option_of_every_recipe_and_is_told_classes():
    told = Classes(names=("a", "b"), shares=(0.5, 0.5))
    model = GANRecipe(generator="fastgan", width=4, latent_dim=3, conditional=True).build((1, 32, 32), told)
    assert model.sample(4).shape == (4, 1, 32, 32)
    plain = R3GANRecipe(generator="fastgan", width=4, latent_dim=3).build((1, 32, 32))
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in plain.modules())
    z = torch.randn(2, 3)
    assert torch.equal(plain.decode(z), plain.decode(z))
