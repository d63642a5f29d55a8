"""Dead units: rectifiers that no input switches on, so that no gradient passes through them any more.

A. L. Maas, A. Y. Hannun and A. Y. Ng, *Rectifier Nonlinearities Improve Neural Network Acoustic Models*, ICML
2013. A rate that is too high, or a bias far below zero, puts a ReLU's input below zero for all data; what it
passes on and what it learns is then zero. A slope below zero, as LeakyReLU has, keeps the gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from pushforward.core import Finding
from pushforward.diagnostics.advice import offered

SICK = 0.5  # of a layer's units dead
GONE = 0.95
RECTIFIERS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU)


@dataclass
class LayerActivity:
    """One rectifier, watched. active: which units were above zero for any input so far, None before the
    first.

    slope: of the rectifier below zero. inputs: how many were seen.
    """

    slope: float
    active: Bool[Tensor, " u"] | None = None
    inputs: int = 0

    @property
    def units(self) -> int:
        """Units of a linear layer, channels of a convolution."""
        return 0 if self.active is None else len(self.active)

    @property
    def silent(self) -> int:
        """Units that no input switched on."""
        return 0 if self.active is None else int((~self.active).sum())

    @property
    def share(self) -> float:
        """The share of units that no input switched on, in [0, 1]."""
        return self.silent / self.units if self.units else 0.0

    @property
    def dead(self) -> float:
        """The share of units through which no gradient passes: the same, and 0 where the slope is not."""
        return 0.0 if self.slope else self.share


@contextmanager
def watched(network: nn.Module) -> Iterator[dict[str, LayerActivity]]:
    """Watch every rectifier of a network while it is used inside of the block: {the layer's path: activity}.

    Outputs may be (b, u) or (b, channels, ...); a channel is one unit, on where any of its pixels is. The
    hooks read, change nothing, and are gone afterwards.
    """
    seen: dict[str, LayerActivity] = {}
    handles = []
    for name, layer in network.named_modules():
        if isinstance(layer, RECTIFIERS):
            seen[name] = LayerActivity(float(getattr(layer, "negative_slope", 0.0)))
            handles.append(layer.register_forward_hook(_note(seen[name])))
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _note(activity: LayerActivity) -> Callable[..., None]:
    def hook(layer: nn.Module, inputs: Any, output: Tensor) -> None:
        on = output.detach().amax([i for i in range(output.ndim) if i != 1]) > 0
        activity.active = on if activity.active is None else activity.active | on
        activity.inputs += len(output)

    return hook


def unit_activity(network: nn.Module, batches: Iterator[Tensor] | list[Tensor]) -> dict[str, LayerActivity]:
    """Watch a network over a stream of batches; records no graph. See `watched`."""
    with watched(network) as seen, torch.no_grad():
        for x in batches:
            network(x)
    return seen


def diagnose_dead_units(
    layers: Mapping[str, LayerActivity],
    *,
    player: str = "generator",
    command: str = "",
    options: Collection[str] | None = None,
) -> Finding | None:
    """A finding where at least half of some layer's units are dead, else None.

    A ReLU network with He's weights and no biases has none dead, and a trained one has some: units that no
    mode needs. Half of a layer is more than that, and a layer without a living unit passes no gradient at
    all. Few inputs prove little: the confidence is that a unit which n inputs never switch on is on for fewer
    than 1 %.
    """
    sick = {name: layer for name, layer in layers.items() if layer.dead >= SICK}
    if not sick:
        return None
    worst = max(layer.dead for layer in sick.values())
    n = min(layer.inputs for layer in sick.values())
    told = ", ".join(f"{layer.silent} of {layer.units} in layer {name}" for name, layer in sick.items())
    return Finding(
        name="dead-units",
        severity="critical" if worst >= GONE else "warning",
        confidence=round(min(0.99, 1 - 0.99**n), 2),
        evidence=f"units of the {player} that none of {n:,} inputs switches on: {told}",
        advice="no gradient passes through them, so they stay dead: give the rectifiers a slope below zero "
        f"(`slope` 0.2), and lower the rate (`lr.{player}`) or start from smaller weights"
        if offered("slope", options)
        else "no gradient passes through them, so they stay dead: "
        f"lower the rate (`lr.{player}`) or start from smaller weights",
        command=command,
        headline=f"units of the {player} are off for every input",
    )
