"""An algorithm that learns nothing, for tests of what looks at samples."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pushforward.core import Algorithm, to_float


class Player(Algorithm):
    """Draws rows of images that it is given, one after another, with noise or without."""

    def __init__(self, rows: Tensor, noise: float = 0.0):
        super().__init__()
        self.rows = nn.Parameter(to_float(rows), requires_grad=False)
        self.noise, self.at = noise, 0

    def players(self):
        return {}

    def step(self, draw):
        yield from ()

    def sample(self, n):
        self.at += n
        made = self.rows[(torch.arange(n) + self.at) % len(self.rows)]
        return made + self.noise * torch.randn_like(made)
