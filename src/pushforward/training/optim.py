"""From players to optimisers, and their averaged weights."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from pushforward.core import Clock, Player
from pushforward.errors import UserError

FUSED_DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


def build_optimizers(players: Mapping[str, Player]) -> dict[str, torch.optim.Optimizer]:
    """One optimiser a player, fused where torch has it. Raises UserError if players share a parameter."""
    owner: dict[int, str] = {}
    optimizers = {}
    for name, player in players.items():
        parameters = player.parameters()
        for p in parameters:
            if owner.setdefault(id(p), name) != name:
                raise UserError(
                    f"players '{owner[id(p)]}' and '{name}' share a parameter; they must be disjoint"
                )
        options = dict(player.options)
        # On CPU Adam's default is a Python loop over parameters: fused is several times faster.
        if "fused" in inspect.signature(player.optimizer).parameters and all(
            p.dtype in FUSED_DTYPES for p in parameters
        ):
            options.setdefault("fused", True)
        optimizers[name] = player.optimizer(parameters, lr=player.lr, **options)  # type: ignore[call-arg]
    return optimizers


def set_rates(
    optimizers: Mapping[str, torch.optim.Optimizer], players: Mapping[str, Player], clock: Clock
) -> None:
    """Write each player's rate, and what else changes, for this step: functions of the clock alone."""
    for name, optimizer in optimizers.items():
        rate = players[name].lr * players[name].schedule(clock)
        changed = players[name].changing(clock)
        for group in optimizer.param_groups:
            group.update(changed, lr=rate)


class Averages:
    """Exponential moving averages of the weights of the players that declare one; buffers are copied."""

    def __init__(self, players: Mapping[str, Player]) -> None:
        self._decay = {name: p.ema for name, p in players.items() if p.ema is not None}
        self._players = players
        self._live = {name: _tensors(players[name]) for name in self._decay}
        self._averaged = {
            name: {key: t.detach().clone() for key, t in live.items()} for name, live in self._live.items()
        }

    def update(self, clock: Clock) -> None:
        """After a step: averaged <- decay * averaged + (1 - decay) * live."""
        for name, told in self._decay.items():
            decay = told(clock) if callable(told) else told
            moving, goal = [], []
            for key, live in self._live[name].items():
                average = self._averaged[name][key]
                if isinstance(live, torch.nn.Parameter):
                    moving.append(average)
                    goal.append(live.detach())
                else:
                    average.copy_(live)
            if moving:
                torch._foreach_lerp_(moving, goal, 1 - decay)

    @contextmanager
    def published(self) -> Iterator[None]:
        """While inside, the modules hold the averaged weights. Pointers are swapped, nothing is copied."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def publish(self) -> None:
        """Give the modules the averaged weights for good."""
        self._swap()

    def _swap(self) -> None:
        for name, live in self._live.items():
            for key, t in live.items():
                average = self._averaged[name][key]
                t.data, average.data = average.data, t.data

    def state(self) -> dict[str, Tensor]:
        """The averaged weights, as flat {player/key: tensor}; buffers are in the algorithm's own state.

        Raises RuntimeError if a module put a new tensor in a watched one's place: it must write in place.
        """
        for name, live in self._live.items():
            for key, t in _tensors(self._players[name]).items():
                if live.get(key) is not t:
                    raise RuntimeError(
                        f"'{key}' of player '{name}' was replaced; modules must write in place"
                    )
        return {
            f"{name}/{key}": t
            for name, tensors in self._averaged.items()
            for key, t in tensors.items()
            if isinstance(self._live[name][key], torch.nn.Parameter)
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """The inverse of `state`, once the algorithm has its own back, from which buffers are copied."""
        for key, tensor in self.state().items():
            tensor.copy_(state[key])
        for name, live in self._live.items():
            for key, t in live.items():
                if not isinstance(t, torch.nn.Parameter):
                    self._averaged[name][key].copy_(t)


def _tensors(player: Player) -> dict[str, Tensor]:
    return {
        **{f"p.{k}": p for k, p in player.module.named_parameters() if p.requires_grad},
        **{f"b.{k}": b for k, b in player.module.named_buffers()},
    }
