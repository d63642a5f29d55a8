"""One training step: run an algorithm's generator and move the players that its updates name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from pushforward.core import Algorithm, Draw, Player, Update
from pushforward.training.distributed import World

Context = Callable[[], AbstractContextManager[object]]


class Stepper:
    """Takes the gradient steps that an algorithm's `step` yields.

    forward: a context entered around each stretch of the algorithm's own code (autocast, sharded
    noise) and never held across a yield.
    """

    def __init__(
        self,
        algorithm: Algorithm,
        players: Mapping[str, Player],
        optimizers: Mapping[str, torch.optim.Optimizer],
        *,
        world: World | None = None,
        forward: Context = nullcontext,
    ) -> None:
        self.algorithm = algorithm
        self.players = players
        self.use(optimizers)
        self.world = world or World()
        self.forward = forward
        self._parameters = {name: player.parameters() for name, player in players.items()}

    def use(self, optimizers: Mapping[str, torch.optim.Optimizer]) -> None:
        """Move the players by these from now on, and lend them to the algorithm."""
        self.optimizers = self.algorithm.optimizers = optimizers

    def __call__(self, draw: Draw) -> dict[str, Tensor]:
        """One call of `step`.

        Returns {"loss/PLAYER", "info/KEY"}, detached: the means over the step's updates that report them.
        What an update shares is handed back, and not returned.
        """
        generator = self.algorithm.step(draw)
        seen: dict[str, list[Tensor]] = {}
        info: dict[str, Tensor] | None = None
        while True:
            try:
                with self.forward():
                    update = next(generator) if info is None else generator.send(info)
            except StopIteration:
                return {k: vs[0] if len(vs) == 1 else torch.stack(vs).mean() for k, vs in seen.items()}
            self.descend(update)
            reported = {f"loss/{k}": v for k, v in update.losses.items()}
            reported |= {f"info/{k}": v for k, v in update.info.items()}
            reported, shared = self.world.mean_reports(reported, update.share)
            for key, value in reported.items():
                seen.setdefault(key, []).append(value)
            info = {k: reported[f"info/{k}"] for k in update.info}
            if shared:
                info |= shared

    def descend(self, update: Update) -> None:
        """All backward passes of an update, then all its optimiser steps."""
        self._check(update)
        self.gradients(update)
        for name in update.losses:
            self.world.mean_gradients(self._parameters[name])
            clip = self.players[name].clip_norm
            if clip is not None:
                nn.utils.clip_grad_norm_(self._parameters[name], clip)
        for name in update.losses:
            self.optimizers[name].step()

    def gradients(self, update: Update) -> None:
        """Write `.grad` of every parameter of the named players, and of no other tensor."""
        shared: dict[int, tuple[Tensor, list[nn.Parameter]]] = {}
        for name, loss in update.losses.items():
            parameters = self._parameters[name]
            for p in parameters:
                p.grad = None
            shared.setdefault(id(loss), (loss, []))[1].extend(parameters)
        passes = list(shared.values())
        for i, (loss, parameters) in enumerate(passes):
            torch.autograd.backward(loss, inputs=parameters, retain_graph=i < len(passes) - 1)

    def _check(self, update: Update) -> None:
        for name, loss in update.losses.items():
            if name not in self.players:
                raise KeyError(
                    f"{type(self.algorithm).__name__}.step moves '{name}', which is no player of it"
                )
            if loss.ndim:
                raise ValueError(f"loss of '{name}' has shape {tuple(loss.shape)}; expected a scalar")
