"""Penalties on a critic, of all that its views showed it.

Each is taken at what the critic saw, with every gradient of a step in one call: the views share a pass, so
one call a view would go through all of it as many times as there are views.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from pushforward.objectives.penalties import (
    between,
    distance_from_one,
    input_gradients,
    squared_norm,
)
from pushforward.views.critic import Look, score_all, weighed
from pushforward.views.view import Learner


class Penalty(Learner, ABC):
    """What is added to a critic's loss beside the game's own terms: a callable of the looks of one critic.

    It may learn from the critic's steps as a view does. Where it remembers something it is a module too, and
    the algorithm has it as one.
    """

    weight: float
    """Of the sum of the values, in the critic's loss."""

    @abstractmethod
    def __call__(self, looks: Sequence[Look]) -> Mapping[str, Tensor]:
        """{name: value} to report, differentiable in the critic; each is a sum over views by their
        `weight_critic`."""

    def statistics(self, looks: Sequence[Look]) -> Mapping[str, Tensor]:
        """What it has to know of a critic's step, detached: see `View.statistics`."""
        return {}


@dataclass(frozen=True)
class GradientPenalty(Penalty):
    """E(‖∇D(x̂)‖₂ - 1)² on lines between what was seen of real and of generated data. Gulrajani et al. 2017.

    one_sided: only slopes above 1 count. Of a critic that is told codes, both ends of a line have the same.
    """

    weight: float
    one_sided: bool = False

    def __call__(self, looks: Sequence[Look]) -> dict[str, Tensor]:
        """{"penalty"}: the points of all views are scored in one pass."""
        x_hat = [between(*look.seen()) for look in looks]
        slopes = input_gradients(score_all(looks, x_hat, looks[0].codes), x_hat)
        return {"penalty": weighed(looks, (distance_from_one(g, one_sided=self.one_sided) for g in slopes))}


@dataclass(frozen=True)
class ZeroCentredPenalties(Penalty):
    """E‖∇D‖₂² at what was seen of real data (R1) and of generated data (R2). Mescheder et al. 2018, eq. 9.

    The looks are made with `differentiable=True`.
    """

    weight: float

    def __call__(self, looks: Sequence[Look]) -> dict[str, Tensor]:
        """{"r1", "r2"}."""
        scores = [s for look in looks for s in look.pair()]
        slopes = input_gradients(scores, [x for look in looks for x in look.seen()])
        values = [squared_norm(g) for g in slopes]
        return {"r1": weighed(looks, values[::2]), "r2": weighed(looks, values[1::2])}
