"""The same with a discriminator and a critic that are trained on samples, in one dimension and in two."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from pushforward.objectives.adversarial import (
    minimax_generator,
    nonsaturating_generator,
    wasserstein_generator,
)
from pushforward.objectives.divergences import (
    sinkhorn_divergence,
    sliced_w1,
    train_critic,
    train_discriminator,
    w1_samples,
)

DRAWS = 20_000  # on which is trained, and on which a generator's gradient is taken
HIDDEN = (64, 64)
GENERATORS = {"minimax": minimax_generator, "−ln D": nonsaturating_generator}
SINKHORN_POINTS = 500  # its iterations cost n² each
SINKHORN_EPSILON = 0.02  # in units of the mean distance of independent pairs


def gradient_by_m(loss: Callable[[Tensor], Tensor], critic: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """What each draw x = m + z contributes to the derivative of a generator's loss by m: (n,)."""
    fake = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(critic(fake)), fake)
    return len(x) * gradient[:, 0]


def shifted(m: float, noise: float = 0.0) -> tuple[Tensor, Tensor]:
    """Draws of N(0, 1) and of N(m, 1), with noise of that standard deviation on both."""
    real, fake = math.sqrt(1 + noise**2) * torch.randn(2, DRAWS, 1)
    return real, fake + m


def discriminator(m: float, noise: float, steps: int) -> dict[str, float]:
    """JS as a trained D bounds it, and what the generator gets from it under either loss."""
    reading = train_discriminator(*shifted(m, noise), hidden=HIDDEN, steps=steps)
    figures = {"JS": reading.js}
    for name, loss in GENERATORS.items():
        gradient = gradient_by_m(loss, reading.discriminator, shifted(m, noise)[1])
        figures |= {f"slope, {name}": float(gradient.mean()), f"sd of a draw, {name}": float(gradient.std())}
    return figures


def critic(m: float, steps: int) -> dict[str, float]:
    """W₁ as a trained critic reads it, and what the generator gets from it."""
    real, fake = shifted(m)
    reading = train_critic(real, fake, hidden=HIDDEN, steps=steps)
    gradient = gradient_by_m(wasserstein_generator, reading.critic, shifted(m)[1])
    return {
        "W1": reading.value,
        "off the exact W1": abs(reading.value / float(w1_samples(real, fake)) - 1),
        "slope of W1": float(gradient.mean()),
        "sd of a draw, critic": float(gradient.std()),
    }


def steepness(m: float, lambda_: float, steps: int, *, one_sided: bool) -> dict[str, float]:
    """How steep a critic is whose penalty has the weight λ, and how far E f(x) - E f(G(z)) is above W₁."""
    real, fake = shifted(m)
    reading = train_critic(real, fake, lambda_=lambda_, one_sided=one_sided, hidden=HIDDEN, steps=steps)
    exact = float(w1_samples(real, fake))
    return {
        "W1": reading.value,
        "off the exact W1": abs(reading.value / exact - 1),
        "uncorrected, over W1": reading.raw / exact,
        "critic's slope": reading.slope,
        "slope over 1 + m/(2λ)": reading.slope / (1 + m / (2 * lambda_)),
    }


def ring(n: int, *, radius: float = 2.0, turned: float = 0.0, modes: int = 8) -> Tensor:
    """n points of the first modes of a ring of eight, σ = 0.05. turned: in gaps between them."""
    angle = 2 * math.pi / 8 * (torch.randint(modes, (n,)) + turned)
    return radius * torch.stack([angle.cos(), angle.sin()], dim=1) + 0.05 * torch.randn(n, 2)


def gaussian(n: int, *, shift: float = 0.0, std: float = 1.0) -> Tensor:
    """n points of N((shift, 0), std² I)."""
    return std * torch.randn(n, 2) + torch.tensor([shift, 0.0])


PLANAR: Mapping[str, Callable[[int], tuple[Tensor, Tensor]]] = {
    "Gaussians, 1 apart": lambda n: (gaussian(n), gaussian(n, shift=1.0)),
    "Gaussians, 4 apart": lambda n: (gaussian(n), gaussian(n, shift=4.0)),
    "Gaussians, one wider": lambda n: (gaussian(n), gaussian(n, std=3.0)),
    "ring and Gaussian": lambda n: (ring(n), gaussian(n)),
    "ring and one of its modes": lambda n: (ring(n), ring(n, modes=1)),
    "rings, one wider": lambda n: (ring(n, radius=1.0), ring(n)),
    "rings, one turned": lambda n: (ring(n), ring(n, turned=0.5)),
}


def _sinkhorn(x: Tensor, y: Tensor, options: Mapping[str, Any]) -> float:
    # In double: the iterations stop at changes that float32 does not resolve.
    scale = float((x - y).norm(dim=1).mean())
    return float(
        sinkhorn_divergence(x.double(), y.double(), epsilon=SINKHORN_EPSILON * scale, iterations=5000)
    )


READINGS: Mapping[str, Callable[[Tensor, Tensor, Mapping[str, Any]], float]] = {
    "critic": lambda x, y, options: train_critic(x, y, **options).value,
    "critic, two-sided": lambda x, y, options: train_critic(x, y, one_sided=False, **options).value,
    "sliced": lambda x, y, options: float(sliced_w1(x, y)),
    "Sinkhorn": _sinkhorn,
}


def planar(method: str, setting: str, points: int, steps: int) -> dict[str, float]:
    """One reading of two sets in the plane, beside POT's."""
    x, y = PLANAR[setting](min(points, SINKHORN_POINTS) if method == "Sinkhorn" else points)
    exact, found = float(w1_samples(x, y)), READINGS[method](x, y, {"steps": steps})
    return {"W1": found, "W1 by POT": exact, "off the exact W1": abs(found / exact - 1)}
