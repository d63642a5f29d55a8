"""Gradients held against finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn


def assert_slope(loss: Callable[[], Tensor], parameters: Sequence[nn.Parameter]) -> None:
    """The gradient of `loss` along a random direction is its central difference, and not 0. In double.

    loss: the same function of the parameters at each call, whatever it draws.
    """
    directions = [torch.randn_like(p) for p in parameters]
    gradients = torch.autograd.grad(loss(), parameters, allow_unused=True)
    slope = sum((g * d).sum() for g, d in zip(gradients, directions, strict=True) if g is not None)
    h, values = 1e-7, []
    for sign in (1, -2):
        for p, d in zip(parameters, directions, strict=True):
            p.data.add_(d, alpha=sign * h)
        values.append(loss().item())
    assert slope != 0
    assert (values[0] - values[1]) / (2 * h) == pytest.approx(slope.item(), rel=1e-4)
