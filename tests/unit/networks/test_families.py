"""What every family promises: shapes, range, trunk and head, each sample's own score, a sane start."""

import copy

import pytest
import torch
from safetensors.torch import load, save
from torch import nn
from torch.func import functional_call

from pushforward.errors import UserError
from pushforward.networks.dcgan import dcgan_generator
from pushforward.networks.gan_mlp import mlp_critic, mlp_generator
from pushforward.networks.layers import has_batch_norm
from tests.unit.networks.families import (
    CRITICS,
    GENERATORS,
    LATENT,
    RECONSTRUCTORS,
    each_critic,
    each_generator,
    each_separate_critic,
    each_shape,
    images,
)

SHAPE = (3, 16, 16)


@each_shape
@each_generator
def test_a_generator_makes_images_in_range(generator, shape):
    x = generator(shape)(10 * torch.randn(2, LATENT))
    assert x.shape == (2, *shape)
    assert x.abs().max() <= 1


@each_shape
@each_critic
def test_a_critic_gives_a_score_an_image(critic, shape):
    x = images(2, shape)
    assert critic(shape)(x).shape == (2, 1)
    assert critic(shape, codes=5)(x, torch.randn(2, 5)).shape == (2, 1)


@each_shape
@pytest.mark.parametrize("reconstructor", RECONSTRUCTORS.values(), ids=RECONSTRUCTORS)
def test_a_reconstructor_gives_a_code_an_image(reconstructor, shape):
    assert reconstructor(shape)(images(2, shape)).shape == (2, LATENT)


def test_points_are_not_bounded():
    generator = mlp_generator(2, (8,), (2,))
    with torch.no_grad():
        generator[-1].bias.fill_(40)
    assert generator(torch.randn(5, 2)).min() > 30
    assert mlp_critic((2,), (8,))(torch.randn(5, 2)).shape == (5, 1)


@each_critic
def test_the_score_is_the_head_of_the_trunk(critic):
    x, z = images(4, SHAPE), torch.randn(4, 5)
    alone, pairs = critic(SHAPE).eval(), critic(SHAPE, codes=5).eval()
    features = alone.trunk(x)
    assert features.ndim == 2
    assert torch.equal(alone(x), alone.head(features))
    assert torch.equal(pairs(x, z), pairs.head(torch.cat([pairs.trunk(x), z], 1)))


@each_critic
def test_a_critic_of_pairs_sees_how_they_pair(critic):
    """A score that were a(x) + b(z) could not tell pairs from strangers; its mixed difference would be 0."""
    network, x, z = (
        critic(SHAPE, codes=5).double().eval(),
        images(2, SHAPE).double(),
        9 * torch.randn(2, 5).double(),
    )
    scores = network(x.repeat_interleave(2, 0), z.repeat(2, 1)).reshape(2, 2)
    mixed = scores[0, 0] - scores[0, 1] - scores[1, 0] + scores[1, 1]
    assert mixed.abs() > 1e-6


@each_separate_critic
def test_without_batch_norm_a_score_is_the_samples_own(critic):
    network = critic(SHAPE).double()
    network(images(2, SHAPE).double())
    network.eval()
    x = images(6, SHAPE).double()
    scores = network(x)
    torch.testing.assert_close(scores, torch.cat([network(x[:2]), network(x[2:])]))
    order = torch.randperm(6)
    torch.testing.assert_close(network(x[order]), scores[order])
    assert not has_batch_norm(network)


def test_with_batch_norm_it_is_not():
    network, x = CRITICS["dcgan"](SHAPE), images(6, SHAPE)
    assert has_batch_norm(network)
    assert not torch.allclose(network(x)[:2], network(x[:2]), atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 64, 64)])
@each_generator
def test_a_new_generator_is_neither_flat_nor_saturated(generator, shape):
    x = generator(shape)(torch.randn(32, LATENT))
    assert 0.02 < x.std() < 0.85
    assert (x.abs() > 0.99).float().mean() < 0.3
    assert x.std(0).mean() > 0.3 * x.std()  # by the noise, not by biases


@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 64, 64)])
@each_separate_critic
@each_generator
def test_a_new_critics_gradient_reaches_the_noise(generator, critic, shape):
    z = torch.randn(8, LATENT, requires_grad=True)
    scores = critic(shape)(generator(shape)(z))
    (gradient,) = torch.autograd.grad(scores.sum(), z)
    assert scores.abs().max() < 20
    # A random matrix shrinks most vectors once its largest singular value is 1: spectral ones start small.
    assert 1e-5 < gradient.norm(dim=1).mean() < 50


@each_separate_critic
def test_a_penalty_on_the_gradient_reaches_every_weight(critic):
    network = critic(SHAPE)
    x = images(4, SHAPE).requires_grad_()
    (gradient,) = torch.autograd.grad(network(x).sum(), x, create_graph=True)
    gradient.square().sum().backward()
    weights = [p for p in network.parameters() if p.ndim > 1]
    assert all(p.grad is not None and p.grad.norm() > 0 for p in weights)


@pytest.mark.parametrize("network", [*GENERATORS.values(), *CRITICS.values()], ids=[*GENERATORS, *CRITICS])
def test_weights_survive_copying_saving_and_being_lent(network):
    generator = network in GENERATORS.values()
    given = torch.randn(4, LATENT) if generator else images(4, SHAPE)
    trained = network(SHAPE)
    trained(given)  # statistics and power iterations move
    trained.eval()
    expected = trained(given)
    assert torch.equal(copy.deepcopy(trained)(given), expected)
    other = network(SHAPE).eval()
    other.load_state_dict(load(save({k: v.clone() for k, v in trained.state_dict().items()})))
    assert torch.equal(other(given), expected)
    lent = network(SHAPE).eval()
    assert torch.equal(functional_call(lent, dict(trained.state_dict()), (given,)), expected)


@pytest.mark.parametrize("name", ["dcgan", "dcgan-plain", "residual"])
def test_weights_keep_the_plain_layout(name):
    """torch's fused Adam pairs weights with restored moments by memory, so both must be laid out alike."""
    generator, critic = GENERATORS[name](SHAPE), CRITICS[name](SHAPE)
    assert all(p.is_contiguous() for network in (generator, critic) for p in network.parameters())


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 16, 16)])
@pytest.mark.parametrize("name", ["dcgan", "dcgan-plain", "residual"])
def test_what_convolutions_see_is_laid_out_by_channels(name, shape):
    seen = []
    for network in (GENERATORS[name](shape), CRITICS[name](shape)):
        for layer in network.modules():
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
                layer.register_forward_hook(lambda _, given, made: seen.append((given[0], made)))
        network(torch.randn(4, LATENT) if isinstance(network, nn.Sequential) else images(4, shape))
    wide = [x for pair in seen for x in pair if x.shape[1] > 1]
    assert len(wide) > 4
    assert all(x.is_contiguous(memory_format=torch.channels_last) for x in wide)


def test_an_image_too_small_to_halve_is_refused():
    with pytest.raises(UserError, match="7x9; expected sides of at least 8"):
        dcgan_generator(LATENT, (1, 7, 9))
