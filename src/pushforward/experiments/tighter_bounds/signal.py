"""How large a gradient's mean is beside its noise: of trained networks, and of a linear-Gaussian model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pushforward.algorithms.latent import LatentVariableModel
from pushforward.core import Batch
from pushforward.distributions import Gaussian
from pushforward.methods import recipe_class

PARTS = ("encoder", "decoder")
DIMENSIONS, POINTS = 20, 64
Q_VARIANCE = 2 / 3  # of q(z|x); that of the posterior is 1/2
OFF = 0.01  # standard deviation of what is added to the best weights


def signal_to_noise(
    algorithm: LatentVariableModel, x: Float[Tensor, "b *x"], *, repeats: int
) -> dict[str, float]:
    """√(‖E g‖² / E‖g - E g‖²) of a step's gradient g by the encoder's and by the decoder's parameters.

    From so many gradients of the same batch; the noise is that of z. ‖E g‖² is estimated without bias, and is
    0 where the estimate is negative.
    """
    parameters = {
        part: [p for p in getattr(algorithm, part).parameters() if p.requires_grad] for part in PARTS
    }
    totals: dict[str, Tensor | float] = dict.fromkeys(PARTS, 0.0)
    squares = dict.fromkeys(PARTS, 0.0)
    for _ in range(repeats):
        losses = next(algorithm.step(lambda name="data", n=None: Batch(x, None, torch.arange(len(x))))).losses
        for part, own in parameters.items():
            loss = losses.get(part, losses.get("vae"))
            assert loss is not None
            found = torch.autograd.grad(loss, own, retain_graph=part == PARTS[0])
            gradient = torch.cat([g.flatten() for g in found]).double()
            totals[part] = totals[part] + gradient
            squares[part] += float(gradient.square().sum())
    return {part: _ratio(torch.as_tensor(totals[part]), squares[part], repeats) for part in PARTS}


def _ratio(total: Tensor, squares: float, n: int) -> float:
    of_mean = float((total / n).square().sum())
    variance = (squares - n * of_mean) / (n - 1)
    return math.sqrt(max(0.0, of_mean - variance / n) / variance)


class LinearEncoder(nn.Module):
    """μ = A x + b, and a variance that stays as it is."""

    log_var: Tensor

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.mean = nn.Linear(dimensions, dimensions)
        self.register_buffer("log_var", torch.tensor(math.log(Q_VARIANCE)))

    def forward(self, x: Float[Tensor, "b d"]) -> Float[Tensor, "b e"]:
        """μ and ln σ², side by side."""
        mu = self.mean(x)
        return torch.cat([mu, self.log_var.expand_as(mu)], dim=1)


def linear_gaussian(method: str, options: Mapping[str, Any], seed: int) -> tuple[LatentVariableModel, Tensor]:
    """A method's model of x ~ N(z + c, I), whose posterior is N((x - c)/2, I/2), and points of x.

    A, b and c are off their best values by Gaussian noise from the seed, which is the same for all methods.
    """
    recipe = recipe_class(method)(latent_dim=DIMENSIONS, hidden=(), sigma=1.0, **options)
    algorithm: LatentVariableModel = recipe.build((DIMENSIONS,))
    draws = torch.Generator().manual_seed(seed)
    centre = torch.randn(DIMENSIONS, generator=draws)
    x = centre + math.sqrt(2) * torch.randn(POINTS, DIMENSIONS, generator=draws)
    encoder, decoder = LinearEncoder(DIMENSIONS), nn.Linear(DIMENSIONS, DIMENSIONS)
    decoder.weight.requires_grad_(False)
    best = {
        encoder.mean.weight: torch.eye(DIMENSIONS) / 2,
        encoder.mean.bias: -centre / 2,
        decoder.bias: centre,
    }
    with torch.no_grad():
        decoder.weight.copy_(torch.eye(DIMENSIONS))
        for parameter, value in best.items():
            parameter.copy_(value + OFF * torch.randn(value.shape, generator=draws))
    algorithm.encoder, algorithm.decoder = encoder, decoder
    algorithm.likelihood = Gaussian(sigma=1.0, bounded=False)
    return algorithm, x
