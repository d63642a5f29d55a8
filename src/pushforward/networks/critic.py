"""A critic: a trunk that makes features of an image, and a head that makes a score of features."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from pushforward.errors import UserError
from pushforward.networks.layers import rectifier

PAIR_HIDDEN = 256


class Critic(nn.Module):
    """score = head(trunk(x)), or head(trunk(x) beside z) for a critic of pairs.

    trunk: (b, *x) -> (b, features). head: (b, features) -> (b, 1), or (b, features + codes) -> (b, 1).
    Scores are logits, or unbounded values for a Wasserstein loss. Several heads may share one trunk.
    another: makes a further head of the kind of `head`, with fresh weights. prepare: gets what the trunk
    needs from elsewhere, such as frozen weights; raises UserError where it cannot.
    """

    def __init__(
        self,
        trunk: nn.Module,
        head: nn.Module,
        *,
        another: Callable[[], nn.Module] | None = None,
        prepare: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = head
        self._another = another
        self.prepare = prepare

    def forward(self, x: Float[Tensor, "b *x"], z: Float[Tensor, "b codes"] | None = None) -> Tensor:
        """(b, 1). z: only for a critic that was made for pairs."""
        features = self.trunk(x)
        return self.head(features if z is None else torch.cat([features, z], dim=1))

    def new_head(self) -> nn.Module:
        """A head with fresh weights, for a view of its own; of pairs, if the critic is one of pairs.

        To be asked for before `normalise_spectrum_`, which is then called on network and views together:
        raises UserError for a critic that is normalised already, and for one that cannot make heads.
        """
        if self._another is None:
            raise UserError("`another`: None; expected a function that makes a head, for views of their own")
        if any(is_parametrized(layer) for layer in self.head.modules()):
            raise UserError(
                "`new_head`: the critic's weights are normalised already, and the new head's would not be; "
                "ask for heads first, then call `normalise_spectrum_` on the ViewedCritic"
            )
        return self._another()


def score_head(features: int, *, codes: int = 0, slope: float = 0.2) -> nn.Module:
    """(b, features + codes) -> (b, 1): linear, or for pairs one hidden layer, where x and z can meet."""
    if not codes:
        return nn.Linear(features, 1)
    return nn.Sequential(
        nn.Linear(features + codes, PAIR_HIDDEN), rectifier(slope), nn.Linear(PAIR_HIDDEN, 1)
    )
