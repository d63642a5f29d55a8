"""The watch for NaN and infinity that costs no synchronisation a step."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from pushforward.errors import Diverged


class Reports:
    """Reported values since the last log, still on the device; read, and judged, when logging or saving."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._steps: list[int] = []
        self._positions: list[Mapping[str, int]] = []
        self._values: dict[str, list[tuple[int, Tensor]]] = {}

    def add(self, step: int, values: Mapping[str, Tensor], position: Mapping[str, int]) -> None:
        """Note one step's values, and where the data stream stood before it."""
        for key, value in values.items():
            self._values.setdefault(key, []).append((len(self._steps), value))
        self._steps.append(step)
        self._positions.append(position)

    def __len__(self) -> int:
        return len(self._steps)

    def means(self) -> dict[str, float]:
        """Mean of each value over the steps that reported it; forgets them.

        Raises NonFinite for the first loss that is NaN or infinite, also of a player that moves only at
        some steps.
        """
        rows = {k: torch.stack([v.float() for _, v in vs]).cpu() for k, vs in self._values.items()}
        bad = [
            (self._values[key][int(first)][0], key)
            for key, row in rows.items()
            if key.startswith("loss/")
            for first in (~torch.isfinite(row)).nonzero()[:1]
        ]
        steps, positions, values = self._steps, self._positions, self._values
        self.clear()
        if bad:
            i, key = min(bad)
            value = next(float(v) for at, v in values[key] if at == i)
            raise NonFinite(steps[i], key.removeprefix("loss/"), value, positions[i])
        return {k: v.mean().item() for k, v in rows.items()}


class NonFinite(Exception):
    """A loss that is NaN or infinite: which, at which step, on which data."""

    def __init__(self, step: int, loss: str, value: float, position: Mapping[str, int]) -> None:
        super().__init__(f"the loss of '{loss}' became {value} at step {step}")
        self.position = position


def check_finite(module: nn.Module, step: int) -> None:
    """Raise Diverged if a parameter is NaN or infinite, or a buffer NaN: such weights are never saved."""
    for name, t in module.named_parameters():
        if not torch.isfinite(t).all():
            raise Diverged(f"the weights in '{name}' became NaN or infinite by step {step}")
    for name, buffer in module.named_buffers():  # an infinite one may be meant: a mask, a best value
        if buffer.is_floating_point() and torch.isnan(buffer).any():
            raise Diverged(f"the buffer '{name}' became NaN by step {step}")


def check_moments(optimizers: Mapping[str, torch.optim.Optimizer], step: int) -> None:
    """Raise Diverged if a moment of gradients is NaN or infinite: the player would stand still."""
    for player, optimizer in optimizers.items():
        for state in optimizer.state.values():
            for key, t in state.items():
                if isinstance(t, Tensor) and t.is_floating_point() and not torch.isfinite(t).all():
                    raise Diverged(
                        f"the gradients of '{player}' became too large for Adam's '{key}' by step {step}"
                    )
