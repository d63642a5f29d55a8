"""Networks of a velocity: shapes, each row by itself, time, and a start that learns."""

from __future__ import annotations

import pytest
import torch

from pushforward.errors import UserError
from pushforward.networks.layers import has_batch_norm
from pushforward.networks.velocity import TimeFeatures, VelocityMLP, VelocityUNet
from tests.unit.networks.families import each_shape, images

NETWORKS = {"mlp": lambda shape: VelocityMLP(shape, (16, 16)), "unet": lambda shape: VelocityUNet(shape, 4)}
each_network = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
SHAPE = (3, 16, 16)


@each_shape
@each_network
def test_a_velocity_has_the_shape_of_its_state(network, shape):
    v = network(shape)(images(2, shape), torch.tensor([0.1, 0.9]))
    assert v.shape == (2, *shape)
    assert torch.isfinite(v).all()


def test_points_have_one_too():
    assert VelocityMLP((2,), (8,))(torch.randn(5, 2), torch.rand(5)).shape == (5, 2)


def moved(network: torch.nn.Module) -> torch.nn.Module:
    """Off its start, where some layers are zero."""
    for p in network.parameters():
        p.data += 0.1 * torch.randn_like(p)
    return network


@each_network
def test_each_row_moves_by_itself(network):
    """What a divergence by products over the batch relies on."""
    v, x, t = moved(network(SHAPE).double()), images(4, SHAPE).double(), torch.rand(4).double()
    assert not has_batch_norm(v)
    torch.testing.assert_close(v(x, t), torch.cat([v(x[:1], t[:1]), v(x[1:], t[1:])]))


@each_network
def test_the_time_matters_near_both_ends(network):
    """A hundredth of the way is told apart: near the data a velocity changes within σ."""
    v, x = moved(network(SHAPE)), images(1, SHAPE)
    for t in (0.0, 0.98):
        assert (v(x, torch.tensor([t])) - v(x, torch.tensor([t + 0.01]))).abs().max() > 1e-3


@each_network
def test_a_gradient_reaches_every_weight_after_a_step(network):
    v = moved(network(SHAPE))
    v(images(3, SHAPE), torch.rand(3)).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in v.parameters())


def test_a_new_unet_is_of_unit_scale():
    """Blocks start as the identity, so depth neither shrinks nor swells what passes."""
    for shape in ((1, 8, 8), (3, 64, 64)):
        v = VelocityUNet(shape, 16)(torch.randn(8, *shape), torch.rand(8))
        assert 0.1 < v.std() < 2


def test_features_tell_all_times_apart():
    features = TimeFeatures()(torch.linspace(0, 1, 101))
    assert features.shape == (101, TimeFeatures.outputs)
    distances = torch.cdist(features, features) + torch.eye(101) * 9
    assert distances.min() > 0.1


def test_a_side_too_small_to_halve_is_refused():
    with pytest.raises(UserError, match="at least 8 pixels"):
        VelocityUNet((1, 4, 8), 4)
