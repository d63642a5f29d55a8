"""Exact gradients of E[f(x)], x ~ N(μ, σ²), and the exact variances of their estimators, by quadrature.

What S. Mohamed, M. Rosca, M. Figurnov and A. Mnih, *Monte Carlo gradient estimation in machine learning*,
JMLR 2020, section 3, compares for f = (x - k)², exp(-kx²) and cos(kx). Composite Gauss-Legendre rules in
double precision on ±12σ: f should be smooth, and turn less than a hundred times within σ.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from pushforward.errors import UserError

REACH = 12.0  # standard deviations, beyond which N(0, 1) has mass 4e-33
Rule = tuple[Tensor, Tensor]  # nodes, weights
Univariate = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Moments:
    """Of one draw's gradient, by parameter name, "loc" (μ) and "scale" (σ)."""

    mean: dict[str, float]
    variance: dict[str, float]


def square(k: float) -> Univariate:
    """(x - k)²."""
    return lambda x: (x - k).square()


def bell(k: float) -> Univariate:
    """exp(-kx²)."""
    return lambda x: torch.exp(-k * x.square())


def cosine(k: float) -> Univariate:
    """cos(kx)."""
    return lambda x: torch.cos(k * x)


def gaussian_gradient(f: Univariate, mu: float, sigma: float) -> dict[str, float]:
    """The exact ∇E[f(x)] by "loc" and "scale"."""
    return gaussian_moments("score-function", f, mu, sigma).mean


def gaussian_moments(
    estimator: str,
    f: Univariate,
    mu: float,
    sigma: float,
    *,
    baseline: float = 0.0,
) -> Moments:
    """Mean and variance of the gradient from one draw, as this package's estimators draw it.

    estimator: score-function, pathwise or measure-valued. f: elementwise, smooth. baseline: of the score
    function. Raises UserError for another estimator.
    """
    rules = {"score-function": _score_function, "pathwise": _pathwise, "measure-valued": _measure_valued}
    if estimator not in rules:
        raise UserError(f"estimator: given '{estimator}', expected one of {', '.join(rules)}")
    shifted: Univariate = f if baseline == 0 else lambda x: f(x) - baseline
    draws = rules[estimator](shifted, mu, sigma)
    mean = {name: float((g * weight).sum()) for name, (g, weight) in draws.items()}
    variance = {name: float(((g - mean[name]) ** 2 * weight).sum()) for name, (g, weight) in draws.items()}
    return Moments(mean, variance)


def _score_function(f: Univariate, mu: float, sigma: float) -> dict[str, Rule]:
    eps, weight = _normal()
    values = f(mu + sigma * eps)
    return {"loc": (values * eps / sigma, weight), "scale": (values * (eps**2 - 1) / sigma, weight)}


def _pathwise(f: Univariate, mu: float, sigma: float) -> dict[str, Rule]:
    eps, weight = _normal()
    x = (mu + sigma * eps).requires_grad_()
    (slope,) = torch.autograd.grad(f(x).sum(), x)
    return {"loc": (slope, weight), "scale": (slope * eps, weight)}


def _measure_valued(f: Univariate, mu: float, sigma: float) -> dict[str, Rule]:
    w, dw = legendre(0.0, REACH, 128)
    by_mu = (f(mu + sigma * w) - f(mu - sigma * w)) / (sigma * math.sqrt(2 * math.pi))
    m, maxwell = _normal(power=2)
    u, du = legendre(0.0, 1.0, 16)
    by_sigma = (f(mu + sigma * m)[:, None] - f(mu + sigma * m[:, None] * u)) / sigma
    return {
        "loc": (by_mu, dw * w * torch.exp(-(w**2) / 2)),
        "scale": (by_sigma, maxwell[:, None] * du),
    }


def _normal(power: int = 0) -> Rule:
    """A rule for the density |x|^power exp(-x²/2)/√(2π), which has mass 1 for powers 0 and 2."""
    x, dx = legendre(-REACH, REACH, 128)
    return x, dx * x**power * torch.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)


@cache
def legendre(low: float, high: float, panels: int, order: int = 16) -> Rule:
    """Nodes and weights of Gauss-Legendre rules of this order on equal panels of [low, high]."""
    nodes, weights = (torch.from_numpy(a) for a in np.polynomial.legendre.leggauss(order))
    half = (high - low) / (2 * panels)
    centres = low + half * (2 * torch.arange(panels, dtype=torch.float64) + 1)
    return (centres[:, None] + half * nodes).flatten(), (half * weights).repeat(panels)
