"""The same in the plane: mixtures of Gaussians under maps of the plane, by quadrature."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

Density = Callable[[Tensor], Tensor]
HALF, STEP = 12.0, 0.05  # of the grid: how far it goes each way, and its width
# Means and standard deviations of the two mixtures, of equal parts.
P = ((-1.5, 0.5, 0.6), (1.0, 1.2, 0.8))
Q = ((-1.0, -0.8, 0.7), (1.6, 0.2, 0.6), (0.2, 1.8, 0.9))


@dataclass(frozen=True)
class Map:
    """An invertible map of the plane. backward: T⁻¹. volume: |det T′|, the same everywhere."""

    forward: Density
    backward: Density
    volume: float = 1.0


def _linear(rows: Sequence[Sequence[float]]) -> Map:
    matrix = torch.tensor(rows, dtype=torch.float64)
    inverse = torch.linalg.inv(matrix)
    return Map(lambda x: x @ matrix.T, lambda y: y @ inverse.T, abs(float(torch.linalg.det(matrix))))


def _bent(sign: float) -> Density:
    return lambda x: torch.stack([x[:, 0], x[:, 1] + sign * 0.15 * x[:, 0].square()], 1)


def _turn(degrees: float) -> Map:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return _linear([[c, -s], [s, c]])


MAPS = {
    "turn by 30°": _turn(30),
    "mirror": _linear([[1, 0], [0, -1]]),
    "shear and stretch": _linear([[1.3, 0.5], [0.0, 0.9]]),
    "bend": Map(_bent(1), _bent(-1)),
}
QUARTERS = tuple(_turn(90 * k) for k in range(4))


def mixture(parts: Sequence[Sequence[float]]) -> Density:
    """The density of a mixture, (n, 2) -> (n,)."""

    def density(x: Tensor) -> Tensor:
        total = torch.zeros_like(x[:, 0])
        for a, b, sigma in parts:
            square = (x[:, 0] - a) ** 2 + (x[:, 1] - b) ** 2
            total += torch.exp(-square / (2 * sigma**2)) / (2 * math.pi * sigma**2 * len(parts))
        return total

    return density


def pushed(density: Density, map_: Map) -> Density:
    """The density of T(x)."""
    return lambda y: density(map_.backward(y)) / map_.volume


def mean_of(densities: Sequence[Density]) -> Density:
    """The density of a draw from one of these, each as likely."""
    return lambda y: torch.stack([d(y) for d in densities]).mean(0)


def grid() -> Float[Tensor, "n 2"]:
    """The points of the quadrature: the trapezoid rule, exact to rounding where the density is smooth."""
    line = torch.arange(-HALF, HALF + STEP / 2, STEP, dtype=torch.float64)
    return torch.cartesian_prod(line, line)


def js(p: Density, q: Density) -> float:
    """JS in nats, by quadrature."""
    x = grid()
    return _js(p(x), q(x), STEP**2)


def js_of_shadow(p: Density, q: Density) -> float:
    """JS of the first coordinates alone: a map that forgets the second."""
    x = grid()
    side = round(len(x) ** 0.5)
    a, b = (d(x).view(side, side).sum(1) * STEP for d in (p, q))
    return _js(a, b, STEP)


def _js(p: Tensor, q: Tensor, cell: float) -> float:
    m = (p + q) / 2
    return float((torch.xlogy(p, p) + torch.xlogy(q, q) - 2 * torch.xlogy(m, m)).sum()) * cell / 2


def critic_off(p: Density, q: Density, map_: Map, x: Float[Tensor, "n 2"]) -> float:
    """The largest |D_T*(T(x)) - D*(x)|."""
    y = map_.forward(x)
    p_T, q_T = pushed(p, map_), pushed(q, map_)
    return float((p_T(y) / (p_T(y) + q_T(y)) - p(x) / (p(x) + q(x))).abs().max())
