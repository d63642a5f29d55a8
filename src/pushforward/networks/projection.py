"""A critic's head that is told the class.

T. Miyato and M. Koyama, *cGANs with Projection Discriminator*, ICLR 2018, eq. 4: the score is ψ(φ) + yᵀVφ,
with φ the critic's features of x and y one-hot. At the optimum yᵀVφ is ln p(y|x)/q(y|x), but for a constant,
and ψ(φ) is ln p(x)/q(x).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pushforward.networks.critic import Critic


class ProjectionHead(nn.Module):
    """(b, features + codes) -> (b, 1), where the last `classes` of the codes are a one-hot class."""

    def __init__(self, head: nn.Linear, classes: int) -> None:
        super().__init__()
        self.head = head
        self.embed = nn.Linear(classes, head.in_features, bias=False)
        nn.init.normal_(self.embed.weight, std=head.in_features**-0.5)

    def forward(self, x: Float[Tensor, "b f"]) -> Float[Tensor, "b 1"]:
        """The score of features with their class."""
        features, y = x[:, : self.head.in_features], x[:, -self.embed.in_features :]
        score: Tensor = self.head(features)
        return score + (self.embed(y) * features).sum(1, keepdim=True)

    def by_class(self, features: Float[Tensor, "b f"]) -> Float[Tensor, "b k"]:
        """yᵀVφ for every class y."""
        every = torch.eye(self.embed.in_features, dtype=features.dtype, device=features.device)
        return features @ self.embed(every).T


def projecting(critic: Critic, classes: int) -> Critic:
    """The critic with a projection in place of its linear head; before its spectrum is normalised."""

    def head() -> nn.Module:
        plain = critic.new_head()
        assert isinstance(plain, nn.Linear)
        return ProjectionHead(plain, classes)

    assert isinstance(critic.head, nn.Linear)
    return Critic(critic.trunk, ProjectionHead(critic.head, classes), another=head)
