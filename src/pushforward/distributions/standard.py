"""Points in units of their own, brought to mean 0 and standard deviation 1 for networks, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Standard(nn.Module):
    """x -> (x - centre) / scale, number by number; `undo` is the inverse. As it is made, it changes nothing.

    Networks see and make standardised points; everything outside of an algorithm has the data's own units. A
    density p of standardised points is p / Π scale of points in their units: subtract `log_volume` from ln p.
    d: numbers a point.
    """

    centre: Tensor
    scale: Tensor

    def __init__(self, d: int) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(d))
        self.register_buffer("scale", torch.ones(d))

    @torch.no_grad()
    def learn(self, centre: Float[Tensor, " d"], scale: Float[Tensor, " d"]) -> None:
        """Take these units."""
        self.centre.copy_(centre)
        self.scale.copy_(scale)

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n d"]:
        """Standardised."""
        return (x - self.centre) / self.scale

    def undo(self, u: Float[Tensor, "*n d"]) -> Float[Tensor, "*n d"]:
        """In the data's own units."""
        return u * self.scale + self.centre

    def log_volume(self) -> Float[Tensor, ""]:
        """Σ ln scale, in nats."""
        return self.scale.log().sum()

    def _load_from_state_dict(self, state: Mapping[str, Any], prefix: str, *args: Any) -> None:
        """Models of before had none, and worked in the data's units."""
        old = {
            f"{prefix}{name}": value for name, value in self.named_buffers() if f"{prefix}{name}" not in state
        }
        super()._load_from_state_dict({**state, **old}, prefix, *args)


def standard_of(shape: tuple[int, ...]) -> Standard | None:
    """Of points (d,); images have one unit for all, and need none."""
    return Standard(shape[0]) if len(shape) == 1 else None


def adopt(module: nn.Module, centre: Float[Tensor, " d"], scale: Float[Tensor, " d"]) -> None:
    """Give every `Standard` inside the units of the data that it is to learn from."""
    for part in module.modules():
        if isinstance(part, Standard):
            part.learn(centre, scale)
