"""Fully connected encoders and decoders."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import nn


def mlp(sizes: Sequence[int], *, activation: Callable[[], nn.Module] = nn.ReLU) -> nn.Sequential:
    """Linear layers of the given sizes with the activation between them: (b, sizes[0]) -> (b, sizes[-1])."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), activation()]
    return nn.Sequential(*layers[:-1])


def mlp_encoder(shape: tuple[int, ...], hidden: Sequence[int], outputs: int) -> nn.Sequential:
    """(b, *shape) -> (b, outputs)."""
    return nn.Sequential(nn.Flatten(), *mlp([math.prod(shape), *hidden, outputs]))


def mlp_decoder(inputs: int, hidden: Sequence[int], shape: tuple[int, ...]) -> nn.Sequential:
    """(b, inputs) -> (b, *shape)."""
    return nn.Sequential(*mlp([inputs, *hidden, math.prod(shape)]), nn.Unflatten(1, shape))
