"""Dynamic binarization: the right probability at every level, black and white untouched, seeded."""

from __future__ import annotations

import math

import torch

from pushforward.core import to_float
from pushforward.distributions.bernoulli import draw_binary


def test_every_level_has_its_probability():
    levels = torch.arange(256, dtype=torch.uint8)
    draws = 40_000
    x = to_float(levels).view(1, 1, 16, 16).expand(draws, 1, 16, 16)
    binary = draw_binary(x)
    assert set(binary.unique().tolist()) == {-1.0, 1.0}
    share = binary.flatten(1).eq(1).double().mean(0)
    p = levels.double() / 255
    assert share[0] == 0
    assert share[255] == 1
    z = (share - p)[1:255] / (p * (1 - p) / draws).sqrt()[1:255]
    # 254 standard normal values: their sum of squares is chi-square, mean 254 and variance 508.
    assert abs(z.square().sum().item() - 254) < 5 * math.sqrt(508)
    assert z.abs().max() < 5


def test_pixels_are_drawn_independently():
    binary = draw_binary(torch.zeros(4000, 1, 3, 5)).flatten(1)
    correlation = torch.corrcoef(binary.T) - torch.eye(15)
    assert correlation.abs().max() < 5 / math.sqrt(4000)


def test_the_global_seed_decides():
    torch.manual_seed(3)
    a = draw_binary(torch.zeros(2, 1, 3, 3))
    torch.manual_seed(3)
    assert torch.equal(a, draw_binary(torch.zeros(2, 1, 3, 3)))
    assert not torch.equal(a, draw_binary(torch.zeros(2, 1, 3, 3)))
