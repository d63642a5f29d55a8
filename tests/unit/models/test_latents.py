"""Latent spaces: principal components by hand, and walks that move one dimension."""

from __future__ import annotations

import pytest
import torch

from pushforward.core import to_float
from pushforward.models.latents import codes, plane, traverse
from pushforward.models.model import Model
from tests.runs import build
from tests.unit.gaussian_model import SHAPE, exact_model, pictures, posterior_kl, weight


def test_the_plane_finds_the_directions_of_most_variance():
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(500, 4, generator=generator) * torch.tensor([1.0, 5.0, 0.1, 2.0]) + 3
    points, share = plane(z)
    centred = z - z.mean(0)
    assert torch.corrcoef(torch.stack([points[:, 0], centred[:, 1]]))[0, 1] > 0.999
    assert torch.corrcoef(torch.stack([points[:, 1], centred[:, 3]]))[0, 1] > 0.999
    variance = z.var(0)
    assert share[0] == pytest.approx((variance[1] / variance.sum()).item(), abs=0.01)


def test_codes_that_are_all_one_point_have_a_plane():
    points, share = plane(torch.ones(5, 3))
    assert torch.equal(points, torch.zeros(5, 2))
    assert share == (0, 0)


def test_dimensions_are_ordered_by_kl():
    found = codes(exact_model(), pictures())
    assert found.kl == pytest.approx(posterior_kl(to_float(pictures())).mean(0).tolist(), abs=1e-6)
    assert found.order == [0, 1, 2]
    assert found.spread.tolist() == [1, 1, 1]


def test_codes_without_a_distribution_are_walked_by_their_own_spread():
    model = Model(build("ae", SHAPE).eval(), {"method": "ae", "shape": list(SHAPE), "step": 0})
    found = codes(model, pictures())
    assert found.kl is None
    assert torch.allclose(found.centre, found.z.mean(0))
    assert found.order[0] == int(found.z.var(dim=0).argmax())


def test_a_walk_moves_one_dimension_and_keeps_the_others():
    model = exact_model()
    start = torch.tensor([0.1, 0.2, 0.0])
    positions, images = traverse(model, codes(model, pictures()), [1], steps=3, reach=0.5, start=start)
    assert positions == [-0.5, 0, 0.5]
    assert images.shape == (1, 3, *SHAPE)
    expected = weight() @ torch.tensor([0.1, -0.5, 0.0])
    assert torch.allclose(images[0, 0].flatten(), expected.clamp(-1, 1), atol=1e-6)
