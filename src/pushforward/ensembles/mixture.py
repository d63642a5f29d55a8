"""A mixture of trained algorithms, which samples and is saved as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pushforward.abilities import Samples, offers
from pushforward.core import Algorithm, Draw, Player, Steps
from pushforward.errors import UserError


class MixtureModel(Algorithm):
    """Σ_i weights_i · components_i, of algorithms that can sample.

    The weights are 0 until `add` puts a trained component in its place, so that a mixture of which only the
    first components are trained is saved and loaded like a whole one. It has no step: its components are
    trained one by one. Raises UserError for an algorithm that cannot sample.
    """

    weights: Float[Tensor, " t"]

    def __init__(self, components: Sequence[Algorithm]) -> None:
        super().__init__()
        for component in components:
            if not offers(component, Samples):
                raise UserError(
                    f"`component`: {type(component).__name__} cannot sample, so no mixture of it can; "
                    "take gan, wgan-gp or another method that does"
                )
        self.components = nn.ModuleList(components)
        self.selector = components[0].selector if components else None  # type: ignore[misc]  # as they do alone
        self.features_seen = tuple(dict.fromkeys(f for c in components for f in c.features_seen))
        self.register_buffer("weights", torch.zeros(len(components), dtype=torch.float64))

    def players(self) -> Mapping[str, Player]:
        """None: nothing of a mixture moves."""
        return {}

    def step(self, draw: Draw) -> Steps:
        """Raises UserError."""
        raise UserError(
            "step: a mixture has none, its components are trained one by one; use `pushforward train adagan`"
        )

    def add(self, index: int, component: Algorithm, beta: float) -> None:
        """Mixture <- (1 - beta) · mixture + beta · component, which takes the place of component `index`."""
        if not 0 < beta <= 1 or self.weights[index] or (beta < 1) != bool(self.weights.any()):
            raise ValueError(
                f"component {index}, beta {beta}: the first has beta 1, each place is taken once"
            )
        self.components[index] = component.to(self.weights.device)
        self.weights.mul_(1 - beta)
        self.weights[index] = beta

    @property
    def trained(self) -> int:
        """How many components there are so far."""
        return int(self.weights.count_nonzero())

    @torch.no_grad()
    def sample(self, n: int) -> Float[Tensor, "n *x"]:
        """n images in [-1, 1], or points, each from a component that its weight chose. Records no graph."""
        if not self.trained:
            raise UserError("sample: the mixture has no trained component yet; let the first one finish")
        chosen = torch.multinomial(self.weights, n, replacement=True)
        components: Sequence[Any] = list(self.components)
        counts = torch.bincount(chosen, minlength=len(components)).tolist()
        parts = [
            component.sample(count) for component, count in zip(components, counts, strict=True) if count
        ]
        place = chosen.argsort(stable=True).argsort()
        return torch.cat(parts)[place]
