"""A critic: a trunk that makes features of an image, and a head that makes a score of features."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pushforward.networks.layers import rectifier

PAIR_HIDDEN = 256


class Critic(nn.Module):
    """score = head(trunk(x)), or head(trunk(x) beside z) for a critic of pairs.

    trunk: (b, *x) -> (b, features). head: (b, features) -> (b, 1), or (b, features + codes) -> (b, 1).
    Scores are logits, or unbounded values for a Wasserstein loss. Several heads may share one trunk.
    """

    def __init__(self, trunk: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = head

    def forward(self, x: Float[Tensor, "b *x"], z: Float[Tensor, "b codes"] | None = None) -> Tensor:
        """(b, 1). z: only for a critic that was made for pairs."""
        features = self.trunk(x)
        return self.head(features if z is None else torch.cat([features, z], dim=1))


def score_head(features: int, *, codes: int = 0, slope: float = 0.2) -> nn.Module:
    """(b, features + codes) -> (b, 1): linear, or for pairs one hidden layer, where x and z can meet."""
    if not codes:
        return nn.Linear(features, 1)
    return nn.Sequential(
        nn.Linear(features + codes, PAIR_HIDDEN), rectifier(slope), nn.Linear(PAIR_HIDDEN, 1)
    )
