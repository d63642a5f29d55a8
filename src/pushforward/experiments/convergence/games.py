"""The Dirac-GAN: a point mass at θ has to find one at 0, against the critic D(x) = ψx. One parameter each.

L. Mescheder, A. Geiger and S. Nowozin, *Which Training Methods for GANs do actually Converge?*, ICML 2018,
section 2. Their D is ours with the opposite sign, which mirrors ψ and changes no eigenvalue.
"""

from __future__ import annotations

import cmath
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from scipy.special import expit
from torch import Tensor

from pushforward.objectives import adversarial
from pushforward.objectives.penalties import gradient_penalty, zero_centred_penalty

Loss = Literal["minimax", "non-saturating", "Wasserstein", "relativistic"]
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(24)  # for instance noise: exact to degree 47
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


def _logistic(score: Any) -> Any:
    return expit(score)


def _constant(score: Any) -> Any:
    return np.ones_like(score)


@dataclass(frozen=True)
class Slopes:
    """Derivatives of a loss by its scores.

    real: -A'(s), of what the critic minimises for a real score. fake: B'(s), for a generated one.
    generator: -C'(s). at_zero: all three at 0. curvature: A''(0) + B''(0).
    """

    real: Callable[[Any], Any]
    fake: Callable[[Any], Any]
    generator: Callable[[Any], Any]
    at_zero: float
    curvature: float


_SATURATING = Slopes(lambda s: expit(-s), _logistic, _logistic, 0.5, 0.5)
_OTHERWISE = Slopes(lambda s: expit(-s), _logistic, lambda s: expit(-s), 0.5, 0.5)
SLOPES: dict[Loss, Slopes] = {
    "minimax": _SATURATING,
    "non-saturating": _OTHERWISE,
    "Wasserstein": Slopes(_constant, _constant, _constant, 1.0, 0.0),
    "relativistic": _OTHERWISE,  # against a real score that is always 0 it is the non-saturating loss
}


@dataclass(frozen=True, kw_only=True)
class Game:
    """One way to play. v = (θ', ψ') is what gradient descent follows, each player its own loss.

    noise: σ of the Gaussian that is added to real and fake before the critic. r1, r2: γ of γ/2 ‖∇D‖² on
    either. lambda_: of the two-sided gradient penalty. clip: of ψ, after each of its steps. ratio: the
    critic's learning rate over the generator's.
    """

    loss: Loss
    noise: float = 0.0
    r1: float = 0.0
    r2: float = 0.0
    lambda_: float = 0.0
    clip: float | None = None
    ratio: float = 1.0
    slopes: Slopes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "slopes", SLOPES[self.loss])

    def generator(self, theta: Any, psi: Any) -> Any:
        """θ', elementwise."""
        fake = np.multiply.outer(self.noise * _NODES, np.ones_like(theta)) + theta if self.noise else theta
        return _mean(self.slopes.generator(psi * fake), self.noise) * psi

    def critic(self, theta: Any, psi: Any) -> Any:
        """ψ', elementwise."""
        if self.noise:
            noise = np.multiply.outer(self.noise * _NODES, np.ones_like(theta))
            pushed = _mean(
                self.slopes.real(psi * noise) * noise
                - self.slopes.fake(psi * (theta + noise)) * (theta + noise),
                1.0,
            )
        else:
            pushed = -self.slopes.fake(psi * theta) * theta
        pushed = pushed - (self.r1 + self.r2) * psi
        if self.lambda_:
            pushed = pushed - 2 * self.lambda_ * (np.abs(psi) - 1) * np.sign(psi)
        return self.ratio * pushed

    def clipped(self, psi: Any) -> Any:
        """ψ as it is allowed to be."""
        return psi if self.clip is None else np.clip(psi, -self.clip, self.clip)

    @property
    def smooth(self) -> bool:
        """Whether v can be differentiated at the equilibrium; |ψ| of the gradient penalty cannot."""
        return not self.lambda_

    @property
    def damping(self) -> float:
        """δ, by which ψ falls back: k (σ² (A'' + B'') + γ₁ + γ₂)."""
        return self.ratio * (self.slopes.curvature * self.noise**2 + self.r1 + self.r2)

    @property
    def stiffness(self) -> float:
        """k f'(0)²: the square of the frequency without damping."""
        return self.ratio * self.slopes.at_zero**2

    def eigenvalues(self) -> tuple[complex, complex]:
        """Of v's Jacobian at (0, 0), [[0, f'], [-k f', -δ]]: -δ/2 ± √(δ²/4 - k f'²)."""
        return _roots(-self.damping, self.stiffness)

    def step_eigenvalues(self, h: float, *, alternating: bool) -> tuple[complex, complex]:
        """Of one gradient step of size h (k h for the critic) at (0, 0): it converges within the unit
        circle.

        Simultaneous: 1 + hλ. Alternating, critic first: trace 2 - hδ - h² k f'², determinant 1 - hδ.
        Without damping their modulus is √(1 + h² k f'²) and, while h √k f' ≤ 2, exactly 1.
        """
        if not alternating:
            first, second = self.eigenvalues()
            return 1 + h * first, 1 + h * second
        return _roots(2 - h * self.damping - h * h * self.stiffness, 1 - h * self.damping)

    def losses(self, theta: Tensor, psi: Tensor) -> tuple[Tensor, Tensor]:
        """(generator's, critic's), by the functions that the package trains with; θ and ψ are doubles."""
        nodes = (
            [(float(x), float(w)) for x, w in zip(_NODES, _WEIGHTS, strict=True)]
            if self.noise
            else [(0.0, 1.0)]
        )
        generator, critic = theta.new_zeros(()), theta.new_zeros(())
        for node, weight in nodes:
            real, fake = psi * self.noise * node, psi * (theta + self.noise * node)
            players = _PLAYERS[self.loss](real, fake)
            generator, critic = generator + weight * players[0], critic + weight * players[1]
        x, x_fake = theta.new_zeros(1, 1).requires_grad_(), theta.detach().view(1, 1).clone().requires_grad_()
        for gamma, point in ((self.r1, x), (self.r2, x_fake)):
            if gamma:
                critic = critic + gamma / 2 * zero_centred_penalty(psi * point, point)
        if self.lambda_:
            critic = critic + self.lambda_ * gradient_penalty(
                lambda at: psi * at, x.detach(), x_fake.detach()
            )
        return generator, critic


_PLAYERS: dict[Loss, Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]] = {
    "minimax": lambda r, f: (adversarial.minimax_generator(f), adversarial.minimax_critic(r, f)),
    "non-saturating": lambda r, f: (adversarial.nonsaturating_generator(f), adversarial.minimax_critic(r, f)),
    "Wasserstein": lambda r, f: (adversarial.wasserstein_generator(f), adversarial.wasserstein_critic(r, f)),
    "relativistic": lambda r, f: (
        adversarial.relativistic_generator(r, f),
        adversarial.relativistic_critic(r, f),
    ),
}


def _mean(values: Any, noise: float) -> Any:
    return np.tensordot(_WEIGHTS, values, axes=1) if noise else values


def _roots(trace: float, determinant: float) -> tuple[complex, complex]:
    root = cmath.sqrt(trace * trace / 4 - determinant)
    return trace / 2 + root, trace / 2 - root


def autograd_field(game: Game, theta: Tensor, psi: Tensor) -> Tensor:
    """v = (θ', ψ') by differentiating the package's losses, itself differentiable."""
    generator, critic = game.losses(theta, psi)
    (by_theta,) = torch.autograd.grad(generator, theta, create_graph=True)
    (by_psi,) = torch.autograd.grad(critic, psi, create_graph=True)
    return torch.stack([-by_theta, -game.ratio * by_psi])


def autograd_step(game: Game, h: float, *, alternating: bool) -> Callable[[Tensor], Tensor]:
    """One gradient step (θ, ψ) -> (θ, ψ) on the package's losses; alternating, the critic goes first."""

    def step(point: Tensor) -> Tensor:
        theta, psi = point.unbind()
        v = autograd_field(game, theta, psi)
        psi_next = psi + h * v[1]
        # A node of its own: the generator's gradient does not pass through what its θ did to ψ.
        drawn = autograd_field(game, theta.clone(), psi_next)[0] if alternating else v[0]
        return torch.stack([theta + h * drawn, psi_next])

    return step


def jacobian_eigenvalues(function: Callable[[Tensor], Tensor]) -> np.ndarray:
    """Of the Jacobian at (0, 0), by autograd."""
    origin = torch.zeros(2, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(function, origin)
    return np.linalg.eigvals(jacobian.numpy())
