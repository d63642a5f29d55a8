"""Sharpness and class entropy in closed form."""

from __future__ import annotations

import math

import pytest
import torch

from pushforward.errors import UserError
from pushforward.metrics.images import class_entropy, sharpness


def test_sharpness_is_the_variance_of_the_laplacian():
    ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    assert sharpness(ramp).item() == 0  # a slope has no curvature
    checks = (torch.arange(8)[:, None] + torch.arange(8)).remainder(2).float().view(1, 1, 8, 8)
    assert sharpness(checks).item() == pytest.approx(torch.tensor([-4.0, 4.0] * 18).double().var().item())
    assert sharpness(torch.cat([checks, ramp]))[0] > 0


def test_blur_lowers_it():
    x = torch.randn(3, 2, 9, 9)
    blurred = torch.nn.functional.avg_pool2d(x, 3, stride=1, padding=1)
    assert (sharpness(blurred) < sharpness(x)).all()


def test_class_entropy_is_of_the_shares():
    assert class_entropy(torch.tensor([0, 1, 2, 3]), 4) == pytest.approx(1)
    assert class_entropy(torch.tensor([2, 2, 2]), 4) == 0
    assert class_entropy(torch.tensor([0, 0, 1, 1]), 4) == pytest.approx(math.log(2) / math.log(4))


def test_bad_input_is_one_line():
    with pytest.raises(UserError, match="2x9"):
        sharpness(torch.zeros(1, 1, 2, 9))
    with pytest.raises(UserError, match="`classes`: 1"):
        class_entropy(torch.tensor([0]), 1)
