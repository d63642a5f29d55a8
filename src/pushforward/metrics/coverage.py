"""How much of the data a sampler covers: the measure C of AdaGAN.

I. Tolstikhin et al., *AdaGAN: Boosting Generative Models*, NIPS 2017, section 4: C = P_data{p_model > t},
with t such that P_model{p_model > t} = 0.95, and p_model estimated by Gaussian kernels on samples of the
model. A perfect sampler scores 0.95, one that misses half of the data at most 0.5, and one that is spread
too wide 1.0: C says nothing of quality.

Deviation: the published code takes t from the samples that the kernels sit on, whose own kernels raise it;
here it is taken from others, without which a perfect sampler would not score 0.95.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.errors import UserError

QUANTILE = 0.05
FACTORS = tuple(2.0**i for i in range(-7, 4))  # of the bandwidths that are tried, around Silverman's
AT_ONCE = 500  # points whose distances to all kernels are in memory together
LEAST = 40


@dataclass(frozen=True)
class Coverage:
    """share: C, in [0, 1]. bandwidth: of the kernels, in the data's units. log_density: of the data, the mean
    in nats."""

    share: float
    bandwidth: float
    log_density: float


def coverage(data: Float[Tensor, "m d"], samples: Float[Tensor, "n d"]) -> Coverage:
    """C of a sampler from n of its samples, on m points of the data; in double.

    Half of the samples carry the kernels. A quarter chooses their bandwidth, by its likelihood, and the last
    one t. Raises UserError for fewer than 40 samples, no data, or ones that are not finite.
    """
    for name, points, least in (("data", data, 1), ("samples", samples, LEAST)):
        if len(points) < least or not bool(torch.isfinite(points).all()):
            raise UserError(f"{name}: {len(points)} points; expected at least {least}, all of finite numbers")
    data, samples = data.double(), samples.double()
    n, d = samples.shape
    kernels, chooses, limits = samples.split([n - 2 * (n // 4), n // 4, n // 4])
    silverman = kernels.std(0).mean() * (4 / ((d + 2) * len(kernels))) ** (1 / (d + 4))
    # Samples that are all the same still have a density, of a kernel as narrow as the data can tell.
    scale = max(float(silverman), 1e-9 * float(data.abs().max()), 1e-300)
    distances = _square_distances(chooses, kernels)
    bandwidth = max(
        (factor * scale for factor in FACTORS), key=lambda h: float(_log_density(distances, h, d).mean())
    )
    threshold = _log_density(_square_distances(limits, kernels), bandwidth, d).quantile(QUANTILE)
    seen = torch.cat(
        [_log_density(_square_distances(part, kernels), bandwidth, d) for part in data.split(AT_ONCE)]
    )
    return Coverage((seen > threshold).double().mean().item(), bandwidth, seen.mean().item())


def _square_distances(x: Float[Tensor, "n d"], kernels: Float[Tensor, "k d"]) -> Float[Tensor, "n k"]:
    return torch.cdist(x, kernels, compute_mode="donot_use_mm_for_euclid_dist").square()


def _log_density(square_distances: Float[Tensor, "n k"], h: float, d: int) -> Float[Tensor, " n"]:
    """ln (1/k) Σ_j N(x; x_j, h²), in nats."""
    k = square_distances.shape[1]
    normal = torch.log(torch.tensor(2 * torch.pi * h**2, dtype=torch.float64)) * d / 2
    return torch.logsumexp(-square_distances / (2 * h**2), dim=1) - normal - torch.log(torch.tensor(float(k)))
