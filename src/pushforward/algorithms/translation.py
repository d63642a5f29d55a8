"""What the methods share that translate between two sets of images without pairs, "a" and "b"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from pushforward.core import Clock, Player, constant
from pushforward.errors import UserError
from pushforward.objectives.adversarial import least_squares_generator


def linear_decay(clock: Clock) -> float:
    """A learning-rate factor of 1 for the first half of the run, which then falls to 0 along a line."""
    return min(1.0, 2 - 2 * clock.fraction)


@dataclass(kw_only=True)
class TranslationHyperparameters:
    """How the players of every such method move."""

    lr: float = 2e-4
    """Adam's rate, per step; --lr.PLAYER sets one player's."""
    beta1: float = 0.5
    """Adam's decay of the first moment."""
    beta2: float = 0.999
    """Adam's decay of the second moment."""
    lr_schedule: Literal["linear", "constant"] = "linear"
    """How the rates change: not in the first half of the run and down to zero along a line in the second, or
    not at all."""
    ema: float | None = None
    """Decay per step of averaged generator weights, published instead of the last ones; none by default."""

    def check(self) -> None:
        """Raise UserError at the first value that cannot be."""
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"`{name}`: {getattr(self, name)}; expected a decay in [0, 1)")

    def player(self, module: nn.Module, *, ema: float | None = None) -> Player:
        """The player that moves this module by Adam with these settings."""
        return Player(
            module=module,
            lr=self.lr,
            options={"betas": (self.beta1, self.beta2)},
            schedule=linear_decay if self.lr_schedule == "linear" else constant,
            ema=ema,
        )


def fooled(fake: Tensor) -> Tensor:
    """E(D(G(x)) - 1)², without the half that the critic's loss has."""
    return 2 * least_squares_generator(fake)
