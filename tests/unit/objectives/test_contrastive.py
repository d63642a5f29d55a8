"""PatchNCE against a loop, and in its limits."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import normalize

from pushforward.objectives.contrastive import patch_nce


def vectors(seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(3, 5, 4, generator=generator, dtype=torch.float64), dim=2)


def test_it_is_the_cross_entropy_of_a_loop_whose_negatives_are_of_the_same_row():
    q, k = vectors(0), vectors(1)
    total = 0.0
    for row in range(3):
        for i in range(5):
            terms = [math.exp(sum((q[row, i] * k[row, j]).tolist()) / 0.07) for j in range(5)]
            total -= math.log(terms[i] / sum(terms))
    assert patch_nce(q, k, 0.07).item() == pytest.approx(total / 15, rel=1e-12)


def test_keys_that_look_alike_cost_the_logarithm_of_their_number():
    alike = vectors(0)[:, :1].expand(3, 5, 4)
    assert patch_nce(vectors(1), alike, 0.07).item() == pytest.approx(math.log(5), rel=1e-12)


def test_it_falls_to_nothing_with_the_temperature_where_each_is_nearest_to_its_own():
    q = vectors(0)
    values = [patch_nce(q, q, t).item() for t in (1.0, 0.1, 0.01, 1e-4)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.5
    assert values[-1] < 1e-12


def test_the_order_of_patches_does_not_matter_and_their_pairing_does():
    q, k = vectors(0), vectors(0) + 0.1 * vectors(1)
    order = torch.tensor([3, 0, 4, 1, 2])
    assert torch.allclose(patch_nce(q, k, 0.3), patch_nce(q[:, order], k[:, order], 0.3), rtol=1e-12)
    assert patch_nce(q, k[:, order], 0.3) > patch_nce(q, k, 0.3) + 0.5


def test_its_precision_is_kept_under_autocast():
    q, k = vectors(0).float(), vectors(1).float()
    plain = patch_nce(q, k, 0.07)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(patch_nce(q, k, 0.07), plain)
