"""Fréchet distance between Gaussians fitted to features; and the plainest features, principal components.

M. Heusel et al., *GANs trained by a two time-scale update rule converge to a local Nash equilibrium*, NIPS
2017, eq. 6: the distance of D. C. Dowson and B. V. Landau, 1982. It is FID on Inception's features alone.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.errors import UserError


def frechet_distance(a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]) -> float:
    """‖μ_a - μ_b‖² + tr(Σ_a + Σ_b - 2 (Σ_a Σ_b)^½), in squared units of the features, in double.

    A perfect sampler does not score 0, but what two samples of the data do: the fewer points and the more
    features, the more. Raises UserError for fewer than two points on a side.
    """
    for name, points in (("a", a), ("b", b)):
        if len(points) < 2:
            raise UserError(f"{name}: {len(points)} points; expected at least 2, to have a covariance")
    a, b = a.double(), b.double()
    cov_a, cov_b = (torch.cov(points.T).reshape(a.shape[1], a.shape[1]) for points in (a, b))
    root = _symmetric_root(cov_a)
    # tr (Σ_a Σ_b)^½ = tr (Σ_a^½ Σ_b Σ_a^½)^½, whose argument is symmetric.
    cross = torch.linalg.eigvalsh(root @ cov_b @ root).clamp(min=0).sqrt().sum()
    shift = (a.mean(0) - b.mean(0)).square().sum()
    return float((shift + cov_a.trace() + cov_b.trace() - 2 * cross).clamp(min=0))


def _symmetric_root(covariance: Float[Tensor, "d d"]) -> Float[Tensor, "d d"]:
    values, vectors = torch.linalg.eigh(covariance)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T
