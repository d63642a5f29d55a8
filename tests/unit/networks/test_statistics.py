"""Instance norms by the statistics of another look."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pushforward.networks.statistics import statistics_of


@pytest.mark.parametrize("affine", [False, True])
def test_norms_go_by_what_they_saw_in_the_look(affine):
    first, second = nn.InstanceNorm2d(3, affine=affine), nn.InstanceNorm2d(3)
    if affine:
        nn.init.normal_(first.weight)
        nn.init.normal_(first.bias)
    network = nn.Sequential(first, nn.Tanh(), second)
    whole = torch.randn(2, 3, 12, 16) * torch.rand(2, 3, 1, 1) + torch.randn(2, 3, 1, 1)
    expected = network(whole)
    with statistics_of(network, lambda: network(whole)):
        torch.testing.assert_close(network(whole[..., 3:9, :5]), expected[..., 3:9, :5])
    assert not torch.allclose(network(whole[..., 3:9, :5]), expected[..., 3:9, :5], atol=1e-3)


def test_a_norm_that_was_not_reached_goes_by_what_it_sees():
    seen, other = nn.InstanceNorm2d(1), nn.InstanceNorm2d(1)
    x = torch.randn(1, 1, 4, 4) + 3
    with statistics_of(nn.ModuleList([seen, other]), lambda: seen(x)):
        torch.testing.assert_close(other(x), nn.InstanceNorm2d(1)(x))


def test_a_look_that_fails_leaves_no_hook():
    norm = nn.InstanceNorm2d(1)

    def fail():
        raise RuntimeError("look")

    with pytest.raises(RuntimeError, match="look"), statistics_of(norm, fail):
        pass
    assert not norm._forward_hooks
