"""What a generator gets that makes N(m, 1) of data N(0, 1): values and gradients by m, with nothing
trained.

With noise of standard deviation s on both sides, N(0, 1) and N(m, 1) become N(0, τ²) and N(m, τ²), τ² = 1 +
s².
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from pushforward.objectives.divergences import js_normals, kl_normals, w1_normals

Distance = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
DISTANCES: dict[str, Distance] = {"KL": kl_normals, "JS": js_normals, "W1": w1_normals}
_STEP, _REACH = 0.01, 38.0  # of the trapezoidal rule, in standard deviations


def distances_and_slopes(m: Sequence[float], noise: float = 0.0) -> dict[str, tuple[Tensor, Tensor]]:
    """Name -> (value, derivative by m) of each distance of N(m, τ²) from N(0, τ²)."""
    found = {}
    for name, distance in DISTANCES.items():
        at = torch.tensor(m, dtype=torch.float64, requires_grad=True)
        tau = torch.full_like(at, math.sqrt(1 + noise**2))
        value = distance(torch.zeros_like(at), tau, at, tau)
        (slope,) = torch.autograd.grad(value.sum(), at)
        found[name] = (value.detach(), slope)
    return found


def optimal_discriminator(m: Sequence[float], noise: float = 0.0) -> dict[str, tuple[Tensor, Tensor]]:
    """Loss -> (mean, standard deviation over draws) of its derivative by m, D being the best one and held
    fixed.

    The best logit is ln p/q = (m²/2 - mx)/τ², with slope -m/τ² everywhere. So a draw x = m + τz of the
    generator gets (m/τ²) D from E ln (1 - D), and (m/τ²)(1 - D) from -E ln D, with D = σ(-a²/2 - az) and a
    = m/τ.
    """
    tau2 = 1 + noise**2
    a = torch.tensor(m, dtype=torch.float64)[:, None] / math.sqrt(tau2)
    z = torch.arange(-_REACH, _REACH + _STEP / 2, _STEP, dtype=torch.float64)
    weights = _STEP * torch.exp(-z.square() / 2) / math.sqrt(2 * math.pi)
    slope = torch.tensor(m, dtype=torch.float64) / tau2
    found = {}
    for loss, sign in (("minimax", 1.0), ("−ln D", -1.0)):
        share = torch.sigmoid(-sign * (a.square() / 2 + a * z))
        mean = (weights * share).sum(1)
        variance = (weights * (share - mean[:, None]).square()).sum(1)
        found[loss] = (slope * mean, slope * variance.sqrt())
    return found


def erring_discriminator(error: float, draws: int) -> dict[str, float]:
    """Loss -> the median size of a draw's gradient, far from the data, for a D that is off by white noise.

    There the best D is 0 and flat. M. Arjovsky and L. Bottou, 2017, theorem 2.6: with an error ε in D and r
    in its slope, independent Gaussians of one size, -∇D/D = -r/ε is Cauchy distributed whatever that size
    is. Its median is 1, and it has no mean. The minimax loss gets r/(1 - ε), which is as small as the
    error.
    """
    eps, r = error * torch.randn(2, draws, dtype=torch.float64)
    return {"minimax": float((r / (1 - eps)).abs().median()), "−ln D": float((r / eps).abs().median())}
