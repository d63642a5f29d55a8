"""Rectifiers, initial weights, spectral norm, maxout: against their formulas."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pushforward.core import Clock, Player
from pushforward.errors import UserError
from pushforward.networks.conv import channels, pyramid, pyramid_of
from pushforward.networks.dcgan import dcgan_critic
from pushforward.networks.gan_mlp import Maxout, maxout_critic, mlp_critic, mlp_generator
from pushforward.networks.layers import (
    ChannelsLast,
    LeakyReLU,
    count_parameters,
    has_batch_norm,
    he_init_,
    normal_init_,
    normalise_spectrum_,
    rectifier,
)
from pushforward.networks.residual import ResidualBlock, residual_critic
from pushforward.training.optim import Averages


def test_rectifier_is_relu_at_slope_0():
    x = torch.linspace(-2, 2, 9)
    assert torch.equal(rectifier(0)(x), x.clamp(min=0))
    assert torch.equal(rectifier(0.2)(x), torch.maximum(x, 0.2 * x))


@pytest.mark.parametrize("slope", [-0.1, 1.0, math.nan])
def test_rectifier_refuses_what_is_no_rectifier(slope):
    with pytest.raises(UserError, match="expected at least 0"):
        rectifier(slope)


def test_normal_init_has_its_deviation_and_leaves_batch_norm_alone():
    network = normal_init_(mlp_generator(64, (256, 256), (3, 16, 16), batch_norm=True), 0.02)
    for layer in network:
        if isinstance(layer, nn.Linear):
            n = layer.weight.numel()
            assert abs(layer.weight.std() / 0.02 - 1) < 5 / math.sqrt(2 * n)
            assert layer.bias is None or not layer.bias.any()
        if isinstance(layer, nn.BatchNorm1d):
            assert (layer.weight == 1).all()


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Linear(400, 500), (400,)),
        (nn.Conv2d(30, 40, 4, 2, 1), (30, 16, 16)),
        (nn.ConvTranspose2d(60, 20, 4, 2, 1), (60, 12, 12)),
    ],
    ids=lambda v: type(v).__name__,
)
@pytest.mark.parametrize("slope", [0.0, 0.2])
def test_he_init_keeps_the_second_moment_through_a_rectifier(layer, shape, slope):
    """He et al. 2015: E f(y)² = (1 + slope²)/2 · Var y, which the weights' variance makes E x²."""
    y = rectifier(slope)(he_init_(layer, slope)(torch.randn(200, *shape)))
    inner = y[..., 2:-2, 2:-2] if y.ndim == 4 else y  # at the rim, kernels see padding
    assert abs(inner.square().mean() - 1) < 0.1


def test_channels_last_changes_the_layout_alone():
    for c in (1, 3):
        x = torch.randn(2, c, 5, 4, requires_grad=True)
        y = ChannelsLast()(x)
        assert torch.equal(x, y)
        assert y.stride() == (20 * c, 1, 4 * c, c)
        y.square().sum().backward()
        assert torch.equal(x.grad, 2 * x)


def test_leaky_relu_has_torchs_values_and_gradients():
    x = torch.randn(5, 7, dtype=torch.double, requires_grad=True)
    own = LeakyReLU(0.2)
    assert torch.equal(own(x), F.leaky_relu(x, 0.2))
    torch.autograd.gradcheck(own, x)
    torch.autograd.gradgradcheck(lambda x: own(x).square(), x)


def test_leaky_relu_hands_no_zeros_down():
    x = torch.randn(4, requires_grad=True)

    def second(f):
        (first,) = torch.autograd.grad(f(x).sum(), x, create_graph=True)
        return torch.autograd.grad((first * torch.ones(4, requires_grad=True)).sum(), x, allow_unused=True)[0]

    assert second(LeakyReLU(0.2)) is None
    assert not second(nn.LeakyReLU(0.2)).any()


@pytest.mark.parametrize("critic", [dcgan_critic, residual_critic])
def test_a_penalised_critic_is_the_same_function(critic):
    how = {"normalisation": "none"} if critic is dcgan_critic else {}
    plain = critic((3, 16, 16), width=4, **how).double()
    penalised = critic((3, 16, 16), width=4, penalised=True, **how).double()
    penalised.load_state_dict(plain.state_dict())
    x = torch.randn(3, 3, 16, 16, dtype=torch.double, requires_grad=True)

    def gradients(network):
        scores = network(x)
        (slope,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
        loss = F.softplus(scores).mean() + (slope.flatten(1).norm(dim=1) - 1).square().mean()
        return torch.autograd.grad(loss, list(network.parameters()))

    torch.testing.assert_close(penalised(x), plain(x))
    torch.testing.assert_close(gradients(penalised), gradients(plain))


def test_maxout_is_the_largest_of_its_affine_maps():
    layer, x = Maxout(7, 3, pieces=4), torch.randn(50, 7)
    weight, bias = layer.affine.weight.unflatten(0, (4, 3)), layer.affine.bias.unflatten(0, (4, 3))
    for unit in range(3):
        maps = x @ weight[:, unit].T + bias[:, unit]
        torch.testing.assert_close(layer(x)[:, unit], maps.max(1).values)


def test_maxout_is_convex_and_piecewise_linear():
    layer = Maxout(5, 20, pieces=3).double()
    a, b = torch.randn(2, 40, 5, dtype=torch.double)
    for t in (0.2, 0.5, 0.9):
        assert (layer(t * a + (1 - t) * b) <= t * layer(a) + (1 - t) * layer(b) + 1e-12).all()
    # Along a line, as many slopes as pieces at most.
    line = a[0] + torch.linspace(-9, 9, 999, dtype=torch.double)[:, None] * b[0]
    slopes = layer(line).diff(dim=0)
    assert all(
        len(s.round(decimals=9).unique()) <= 3 + 2 for s in slopes.T
    )  # a kink may fall inside an interval
    assert (slopes.diff(dim=0) >= -1e-9).all()


def test_pacgans_critic_has_its_papers_size():
    """Lin et al. 2018 for 2-D points, packed twice: 4 inputs, three layers of 200 units of 5 pieces."""
    critic = maxout_critic((4,))
    assert count_parameters(critic) == 5 * 200 * (4 + 1) + 2 * 5 * 200 * (200 + 1) + 200 + 1


def largest_singular_values(network):
    return [
        torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item()
        for layer in network.modules()
        if isinstance(layer, (nn.Linear, nn.Conv2d))
    ]


@pytest.mark.parametrize("shape", [(3,), (1, 16, 16)], ids=["mlp", "dcgan"])
def test_spectral_norm_comes_down_to_one(shape):
    if len(shape) == 1:
        network = mlp_critic(shape, (32, 32), spectral_norm=True)
    else:
        network = dcgan_critic(shape, width=4, normalisation="spectral")
    for _ in range(300):
        network(torch.randn(2, *shape))
    found = largest_singular_values(network.eval())
    assert found == pytest.approx([1] * len(found), rel=1e-2)


def test_a_spectrally_normal_mlp_is_1_lipschitz():
    critic = mlp_critic((6,), (64, 64), spectral_norm=True)
    for _ in range(300):
        critic(torch.randn(1, 6))
    a, b = torch.randn(2, 500, 6)
    slopes = (critic(a) - critic(b)).abs().squeeze(1) / (a - b).norm(dim=1)
    assert slopes.max() <= 1.01


def test_power_iteration_is_state_that_rests_in_eval_mode_and_is_written_in_place():
    critic = mlp_critic((3,), (8,), spectral_norm=True)
    averages = Averages({"critic": Player(module=critic, ema=0.9)})
    vectors = [k for k in critic.state_dict() if k.endswith(("._u", "._v"))]
    assert len(vectors) == 4
    with torch.no_grad():
        next(critic.parameters()).normal_()

    def moved(mode):
        before = {k: critic.state_dict()[k].clone() for k in vectors}
        critic.train(mode)
        critic(torch.randn(2, 3))
        return any(not torch.equal(before[k], critic.state_dict()[k]) for k in vectors)

    assert not moved(False)
    for p in critic.parameters():
        p.data.normal_()
    assert moved(True)
    averages.update(Clock())
    averages.state()  # raises where a buffer was replaced


def test_normalising_the_spectrum_reaches_every_weight():
    block = normalise_spectrum_(ResidualBlock(4, slope=0.2, blocks=2))
    assert [n for n, _ in block.named_parameters() if n.endswith("original")] == [
        "branch.0.parametrizations.weight.original",
        "branch.2.parametrizations.weight.original",
    ]


def test_counting_and_asking_for_batch_norm():
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    assert count_parameters(network) == 3 * 4 + 4 + 4 + 4
    network[0].weight.requires_grad_(False)
    assert count_parameters(network) == 4 + 4 + 4
    assert has_batch_norm(network)
    assert not has_batch_norm(nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4)))


def test_pyramids_halve_down_to_seven():
    assert pyramid(28, 28) == [(28, 28), (14, 14), (7, 7)]
    assert pyramid_of((3, 33, 16)) == [(33, 16), (17, 8), (9, 4), (5, 2)]
    assert channels(8, 5, widest=64) == [8, 16, 32, 64, 64]
