"""The watch for NaN and infinity that costs no synchronisation a step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from pushforward.errors import Diverged


class History:
    """Reported values since the last log, still on the device; read, and judged, when logging or saving."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._steps: list[int] = []
        self._values: dict[str, list[Tensor]] = {}
        self._positions: list[Mapping[str, int]] = []

    def add(self, step: int, values: Mapping[str, Tensor], position: Mapping[str, int]) -> None:
        """Note one step's values, and where the data stream stood before it."""
        self._steps.append(step)
        self._positions.append(position)
        for key, value in values.items():
            self._values.setdefault(key, []).append(value)

    def __len__(self) -> int:
        return len(self._steps)

    def means(self) -> dict[str, float]:
        """Mean of each value over the noted steps; forgets them. Raises NonFinite at the first bad one."""
        rows = {k: torch.stack([v.float() for v in vs]).cpu() for k, vs in self._values.items()}
        steps, positions = self._steps, self._positions
        self.clear()
        losses = {k: v for k, v in rows.items() if k.startswith("loss/") and len(v) == len(steps)}
        for i, step in enumerate(steps):
            for key, values in losses.items():
                if not torch.isfinite(values[i]):
                    raise NonFinite(step, key.removeprefix("loss/"), float(values[i]), positions[i])
        return {k: v.mean().item() for k, v in rows.items()}


class NonFinite(Exception):
    """A loss that is NaN or infinite: which, at which step, on which data."""

    def __init__(self, step: int, loss: str, value: float, position: Mapping[str, int]) -> None:
        super().__init__(f"the loss of '{loss}' became {value} at step {step}")
        self.position = position


def check_finite(module: nn.Module, step: int) -> None:
    """Raise Diverged if a parameter or buffer is NaN or infinite: such weights are never saved."""
    named: Iterable[tuple[str, Tensor]] = [*module.named_parameters(), *module.named_buffers()]
    for name, t in named:
        if t.is_floating_point() and not torch.isfinite(t).all():
            raise Diverged(f"the weights in '{name}' became NaN or infinite by step {step}")
