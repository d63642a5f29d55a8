"""Play a game: in continuous time, by simultaneous steps, or by alternating ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np

from pushforward.experiments.convergence.games import Game

How = Literal["flow", "simultaneous", "alternating"]
Point = tuple[float, float]


def start(seed: int, radius: float = 1.0) -> Point:
    """A point of the circle about the equilibrium."""
    angle = np.random.default_rng(seed).uniform(0, 2 * math.pi)
    return radius * math.cos(angle), radius * math.sin(angle)


def play(game: Game, how: How, at: Point, *, h: float, steps: int) -> np.ndarray:
    """(steps + 1, 2): θ and ψ at times 0, h, 2h ... The flow is integrated by Runge-Kutta steps of h."""
    path = np.empty((steps + 1, 2))
    path[0] = theta, psi = at
    move = _STEPS[how]
    for i in range(steps):
        theta, psi = move(game, theta, psi, h)
        path[i + 1] = theta, psi
    return path


def distance(path: np.ndarray, game: Game) -> np.ndarray:
    """√(θ² + ψ²/k): the norm that the linear game without damping keeps, whatever the two rates are."""
    return np.hypot(path[..., 0], path[..., 1] / math.sqrt(game.ratio))


def _flow(game: Game, theta: float, psi: float, h: float) -> Point:
    def v(theta: float, psi: float) -> Point:
        return game.generator(theta, psi), game.critic(theta, psi)

    a = v(theta, psi)
    b = v(theta + h / 2 * a[0], psi + h / 2 * a[1])
    c = v(theta + h / 2 * b[0], psi + h / 2 * b[1])
    d = v(theta + h * c[0], psi + h * c[1])
    theta, psi = (x + h / 6 * (a[i] + 2 * b[i] + 2 * c[i] + d[i]) for i, x in enumerate((theta, psi)))
    return theta, game.clipped(psi)


def _simultaneous(game: Game, theta: float, psi: float, h: float) -> Point:
    return theta + h * game.generator(theta, psi), game.clipped(psi + h * game.critic(theta, psi))


def _alternating(game: Game, theta: float, psi: float, h: float) -> Point:
    psi = game.clipped(psi + h * game.critic(theta, psi))
    return theta + h * game.generator(theta, psi), psi


_STEPS: dict[How, Callable[[Game, float, float, float], Point]] = {
    "flow": _flow,
    "simultaneous": _simultaneous,
    "alternating": _alternating,
}
