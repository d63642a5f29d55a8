"""Distances between samples by a trained network: a critic for W₁, a discriminator for Jensen-Shannon.

Kantorovich-Rubinstein: W₁ = sup E_x f - E_y f over 1-Lipschitz f. Goodfellow et al. 2014: 2 JS - ln 4 =
sup E_x ln D + E_y ln (1 - D) over all D. What a GAN's critic approximates on the way is here the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pushforward.errors import UserError
from pushforward.networks.mlp import mlp
from pushforward.objectives.adversarial import minimax_critic, wasserstein_critic
from pushforward.objectives.penalties import gradient_penalty, input_gradient

_PAIRS = 20_000  # on whose lines the slope is measured


@dataclass(frozen=True)
class CriticReading:
    """What a trained critic says of two sets, in the unit of the points.

    value: W₁, corrected for the critic's steepness. raw: E_x f - E_y f. slope: E‖∇f‖ on lines between the
    sets. excess: what was penalised there, E(‖∇f‖ - 1)². lambda_: its weight. critic: f, (b, d) -> (b,).
    """

    value: float
    raw: float
    slope: float
    excess: float
    lambda_: float
    critic: nn.Module


@dataclass(frozen=True)
class DiscriminatorReading:
    """What a trained discriminator says of two sets.

    js: a lower bound of Jensen-Shannon's divergence in nats, on rows that it was not trained on; below zero
    for one that is worse than a coin. discriminator: its logit, about ln p(x)/q(x), (b, d) -> (b,).
    """

    js: float
    discriminator: nn.Module


class Standardised(nn.Module):
    """gain · network((x - centre)/scale): (b, d) -> (b,). So no data's unit matters to the training."""

    def __init__(self, network: nn.Module, centre: Tensor, scale: Tensor, gain: Tensor) -> None:
        super().__init__()
        self.network = network
        self.centre: Tensor
        self.scale: Tensor
        self.gain: Tensor
        for name, value in (("centre", centre), ("scale", scale), ("gain", gain)):
            self.register_buffer(name, value)

    def forward(self, x: Float[Tensor, "b d"]) -> Float[Tensor, " b"]:
        """A score for each row."""
        return self.gain * self.network((x - self.centre) / self.scale).squeeze(1)


def train_critic(
    x: Float[Tensor, "n d"],
    y: Float[Tensor, "m d"],
    *,
    lambda_: float | None = None,
    one_sided: bool = True,
    hidden: Sequence[int] = (128, 128),
    steps: int = 1500,
    batch_size: int = 256,
    lr: float = 2e-3,
) -> CriticReading:
    """Estimate W₁ of two sets of points by a ReLU critic with gradient penalty (Gulrajani et al. 2017).

    The penalty gives way: where the sets are a shift by m apart its best slope is 1 + m/(2λ), and what it
    separates is m times that. To first order in 1/λ the best V = E_x f - E_y f - λP, with P = E(‖∇f‖ - 1)²,
    is W₁ + c/λ. Since dV/dλ = -P, the c/λ that is too much is λP, and `value` is V - λP: the penalty is
    subtracted twice.

    lambda_: in the unit of the points; by default 10 times the mean distance of independent pairs, which is
    at least 10 W₁. one_sided: penalise slopes above 1 alone, since the best f is flatter where no mass has
    to pass; False is WGAN-GP's own penalty, whose reading falls short there. Raises UserError for fewer
    than 2 points.
    """
    real, fake, scaled = _prepare(x, y, hidden)
    weight = 10.0 if lambda_ is None else lambda_ / float(scaled.scale)

    def loss(a: Tensor, b: Tensor) -> Tensor:
        scores = scaled.network(torch.cat([a, b]))
        penalty = gradient_penalty(scaled.network, a, b, one_sided=one_sided)
        return wasserstein_critic(scores[: len(a)], scores[len(a) :]) + weight * penalty

    _descend(loss, scaled.network, real, fake, steps=steps, batch_size=batch_size, lr=lr)
    a, b = _pairs(real, fake, _PAIRS)
    x_hat = torch.lerp(b, a, torch.rand(_PAIRS, 1, device=a.device)).requires_grad_()
    slopes = input_gradient(scaled.network(x_hat), x_hat).detach().norm(dim=1)
    excess = ((slopes - 1).relu() if one_sided else slopes - 1).square().mean()
    with torch.no_grad():
        raw = scaled.network(real).mean() - scaled.network(fake).mean()
    unit = float(scaled.scale)
    scaled.gain.copy_(scaled.scale)
    return CriticReading(
        value=unit * float(raw - 2 * weight * excess),
        raw=unit * float(raw),
        slope=float(slopes.mean()),
        excess=float(excess),
        lambda_=unit * weight,
        critic=scaled,
    )


def train_discriminator(
    x: Float[Tensor, "n d"],
    y: Float[Tensor, "m d"],
    *,
    hidden: Sequence[int] = (128, 128),
    steps: int = 1000,
    batch_size: int = 256,
    lr: float = 2e-3,
) -> DiscriminatorReading:
    """Train a ReLU discriminator of real x and fake y on every other row, and bound JS from below on the
    rest.

    Raises UserError for fewer than 2 points.
    """
    real, fake, scaled = _prepare(x, y, hidden)

    def loss(a: Tensor, b: Tensor) -> Tensor:
        scores = scaled.network(torch.cat([a, b]))
        return minimax_critic(scores[: len(a)], scores[len(a) :])

    _descend(loss, scaled.network, real[::2], fake[::2], steps=steps, batch_size=batch_size, lr=lr)
    with torch.no_grad():
        game = minimax_critic(scaled.network(real[1::2]), scaled.network(fake[1::2]))
    return DiscriminatorReading(js=math.log(2) - float(game) / 2, discriminator=scaled)


def _prepare(x: Tensor, y: Tensor, hidden: Sequence[int]) -> tuple[Tensor, Tensor, Standardised]:
    """Both sets about their common centre, in units of the mean distance of independent pairs."""
    for name, points in (("x", x), ("y", y)):
        if len(points) < 2:
            raise UserError(f"{name}: {len(points)} points; expected at least 2, to train and to measure on")
    x, y = x.detach().float(), y.detach().float()
    centre = (x.mean(0) + y.mean(0)) / 2
    a, b = _pairs(x, y, _PAIRS)
    scale = (a - b).norm(dim=1).mean()
    if not (torch.isfinite(scale) and scale > 0):
        raise UserError(
            f"x, y: a mean distance of {float(scale)} between them; expected distinct, finite points"
        )
    network = mlp([x.shape[1], *hidden, 1]).to(x.device)
    scaled = Standardised(network, centre, scale, torch.ones_like(scale))
    return (x - centre) / scale, (y - centre) / scale, scaled


def _pairs(x: Tensor, y: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """n rows of each, drawn independently with replacement."""
    return tuple(points[torch.randint(len(points), (n,), device=points.device)] for points in (x, y))  # type: ignore[return-value]


def _descend(
    loss: Callable[[Tensor, Tensor], Tensor],
    network: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    steps: int,
    batch_size: int,
    lr: float,
) -> None:
    """Adam with the rate falling to 0 along half a cosine: what is read is the end."""
    optimizer = torch.optim.Adam(network.parameters(), lr=lr, betas=(0.5, 0.99), fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(*_pairs(x, y, batch_size)).backward()
        optimizer.step()
        schedule.step()
    network.requires_grad_(False)
