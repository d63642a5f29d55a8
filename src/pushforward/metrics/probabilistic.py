"""P-precision and P-recall: precision and recall whose balls have soft edges, which outliers move little.

D. Park and S. Kim, *Probabilistic Precision and Recall Towards Reliable Evaluation of Generative Models*,
ICCV 2023, eq. 5 to 9. A set of points covers x with probability 1 - Π_i min(1, ‖x - x_i‖ / R), with R = a
times the mean distance to the k-th nearest neighbour.

Deviation: where the published code drops the row itself from its neighbours by its distance 0, here it is
dropped by its place; copies then count as neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.metrics.features import checked
from pushforward.metrics.neighbours import clouds, kth_squared_distances

K, SCALE = 4, 1.2  # the paper's
LEAST = 10  # rows
BLOCK = 1024


@dataclass(frozen=True)
class Probabilistic:
    """precision: the mean probability that real images cover a sample. recall: that samples cover a real
    image. Each with its standard error over the rows that the mean is taken of."""

    precision: float
    precision_error: float
    recall: float
    recall_error: float


def probabilistic(real: Float[Tensor, "n d"], fake: Float[Tensor, "m e"]) -> Probabilistic:
    """Both, of features of real images and of samples. Raises UserError for fewer than 10 rows."""
    real, fake = checked(LEAST, real=real, fake=fake)
    centre = real.mean(0)
    real, fake = real - centre, fake - centre
    logs_fake = torch.zeros(len(fake), dtype=torch.float64)  # ln Π over real images, of each sample
    logs_real = []
    reach_real, reach_fake = _reach(real), _reach(fake)
    for part in real.split(BLOCK):
        d = _distances(part, fake)
        logs_fake += (d / reach_real).clamp_(max=1).log_().sum(0)
        logs_real.append((d / reach_fake).clamp_(max=1).log_().sum(1))
    precision, recall = -torch.expm1(logs_fake), -torch.expm1(torch.cat(logs_real))
    return Probabilistic(*_mean(precision), *_mean(recall))


def _reach(x: Float[Tensor, "n d"]) -> float:
    """R. Of points that are all the same it is as good as 0."""
    (cloud,) = clouds(x)
    kth = kth_squared_distances(cloud, min(K, len(x) - 1)).sqrt()
    return max(SCALE * kth.mean().item(), 1e-150)


def _distances(x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
    squares = torch.addmm(y.square().sum(1), x, y.T, alpha=-2).add_(x.square().sum(1)[:, None])
    return squares.clamp_(min=0).sqrt_()


def _mean(values: Float[Tensor, " n"]) -> tuple[float, float]:
    return values.mean().item(), (values.std() / len(values) ** 0.5).item()
