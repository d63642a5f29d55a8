"""What each divergence makes of a model that is too small: one Gaussian for two modes in the plane, exactly.

The divergences are integrals over a grid, and the Wasserstein distance one over quantiles, so no sampling, no
network and no critic is between the claim and the figure. A. Genevay, G. Peyré and M. Cuturi, *GAN and VAE
from an optimal transport point of view*, 2017: a VAE moves the model by a plan (the primal), a GAN by a
critic (the dual).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

KL, JS, REVERSE, W2 = "KL(p‖q), of a VAE", "JS, of a GAN", "KL(q‖p)", "W₂²"
DIVERGENCES = (KL, JS, REVERSE, W2)
FAR, SIGMA = 3.0, 0.5  # the modes lie at ±FAR on the first axis, each N(·, SIGMA² I)
HALF, CELLS = 10.0, 161  # of the grid: half its side, and its points along one
STEPS, RATE, STARTS = 300, 0.08, 4
QUANTILES = 4000


def fitted(divergence: str, seed: int) -> dict[str, float]:
    """The Gaussian N(μ, diag σ²) that is nearest to the mixture, by descent from several random starts.

    good: per cent of its mass within 3 standard deviations of a mode. covered: per cent of the mixture's mass
    where the model is at least a tenth as dense. left: of the divergence, in nats; of W₂² in squared units.
    """
    generator = torch.Generator().manual_seed(seed)
    points, area = _grid()
    log_p = _mixture(points)

    def left(parameters: Tensor) -> Tensor:
        return _divergence(divergence, parameters, points, log_p, area)

    starts = 2 * torch.rand(STARTS, 4, dtype=torch.float64, generator=generator) - 1
    found = [_descended(left, start) for start in starts]
    best = min(found, key=lambda parameters: float(left(parameters)))
    log_q = _gaussian(points, best)
    to_mode = torch.stack([(points - points.new_tensor([at, 0.0])).norm(dim=1) for at in (-FAR, FAR)])
    return {
        "good": 100 * float((log_q.exp() * area)[to_mode.amin(0) <= 3 * SIGMA].sum()),
        "covered": 100 * float((log_p.exp() * area)[log_q >= log_p - math.log(10)].sum()),
        "left": float(left(best)),
    }


def _descended(loss: Callable[[Tensor], Tensor], start: Tensor) -> Tensor:
    """From a start in [-1, 1]⁴, of which the mean reaches as far as the modes."""
    parameters = (start * start.new_tensor([FAR, 1.0, 1.0, 1.0])).requires_grad_()
    adam = torch.optim.Adam([parameters], lr=RATE)
    for _ in range(STEPS):
        (parameters.grad,) = torch.autograd.grad(loss(parameters), [parameters])
        adam.step()
    return parameters.detach()


def _grid() -> tuple[Tensor, float]:
    line = torch.linspace(-HALF, HALF, CELLS, dtype=torch.float64)
    return torch.cartesian_prod(line, line), float(line[1] - line[0]) ** 2


def _gaussian(x: Tensor, parameters: Tensor) -> Tensor:
    """ln N(x; μ, diag σ²), parameters: μ and ln σ."""
    mu, log_sigma = parameters[:2], parameters[2:]
    return -0.5 * ((x - mu) / log_sigma.exp()).square().sum(1) - log_sigma.sum() - math.log(2 * math.pi)


def _mixture(x: Tensor) -> Tensor:
    sigma = x.new_tensor([math.log(SIGMA)] * 2)
    sides = [_gaussian(x, torch.cat([x.new_tensor([at, 0.0]), sigma])) for at in (-FAR, FAR)]
    return torch.logaddexp(*sides) - math.log(2)


def _divergence(name: str, parameters: Tensor, points: Tensor, log_p: Tensor, area: float) -> Tensor:
    if name == W2:
        return _transport(parameters)
    log_q = _gaussian(points, parameters)
    p, q = log_p.exp(), log_q.exp()
    if name == KL:
        return (p * (log_p - log_q)).sum() * area
    if name == REVERSE:
        return (q * (log_q - log_p)).sum() * area
    log_m = torch.logaddexp(log_p, log_q) - math.log(2)
    return 0.5 * (p * (log_p - log_m) + q * (log_q - log_m)).sum() * area


def _transport(parameters: Tensor) -> Tensor:
    """W₂² of the two products: along the modes by quantiles, across by the formula of two Gaussians."""
    u = (torch.arange(QUANTILES, dtype=torch.float64) + 0.5) / QUANTILES
    ours = parameters[0] + parameters[2].exp() * torch.special.ndtri(u)
    across = parameters[1].square() + (parameters[3].exp() - SIGMA).square()
    return (ours - _quantiles(u)).square().mean() + across


def _quantiles(u: Tensor) -> Tensor:
    """Of the mixture along the axis of its modes."""
    line = torch.linspace(-HALF, HALF, 20_001, dtype=torch.float64)
    below = 0.5 * (torch.special.ndtr((line + FAR) / SIGMA) + torch.special.ndtr((line - FAR) / SIGMA))
    return line[torch.searchsorted(below, u)]
