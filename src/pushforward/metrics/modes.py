"""Which modes of a known mixture a sampler finds, how well, and how evenly.

As A. Srivastava et al., *VEEGAN*, NIPS 2017, section 4.1, and Z. Lin et al., *PacGAN*, NeurIPS 2018, section
4.1, define it: a sample is of high quality within 3σ of the nearest centre, a mode is found if it is the
nearest of at least one such sample, and the reverse KL compares the histogram of all samples over their
nearest modes, good or not, with that of the data.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pushforward.errors import UserError


@dataclass(frozen=True)
class ModeStatistics:
    """What n samples came to.

    found: modes with a sample of high quality. quality: the share of samples that are, in [0, 1].
    reverse_kl: KL(samples ‖ data) of the histograms over nearest modes, in nats. nearest: samples whose
    nearest mode it is, of each; good: those of high quality.
    """

    found: int
    quality: float
    reverse_kl: float
    nearest: Int[Tensor, " k"]
    good: Int[Tensor, " k"]

    @property
    def missing(self) -> list[int]:
        """The modes without a sample of high quality."""
        return [i for i, n in enumerate(self.good.tolist()) if not n]


def mode_statistics(
    samples: Float[Tensor, "n d"], centres: Float[Tensor, "k d"], *, radius: float
) -> ModeStatistics:
    """Count samples by their nearest centre (Euclidean, in double); of high quality up to `radius` from it.

    radius: in the data's own units, 3σ for Gaussians in the plane. The modes are taken as equally heavy.
    Raises UserError for no samples, or ones that are not finite.
    """
    if not len(samples) or not bool(torch.isfinite(samples).all()):
        what = "none" if not len(samples) else "some are not finite"
        raise UserError(f"samples: {what}; expected at least one, all of finite numbers")
    exact = "donot_use_mm_for_euclid_dist"  # the faster way loses the digits that a radius of 0.03 needs
    distances = torch.cdist(samples.double(), centres.double().to(samples.device), compute_mode=exact)
    distance, nearest = distances.min(1)
    good = distance <= radius
    counts = torch.bincount(nearest, minlength=len(centres)).cpu()
    good_counts = torch.bincount(nearest[good], minlength=len(centres)).cpu()
    return ModeStatistics(
        int((good_counts > 0).sum()), good.double().mean().item(), histogram_kl(counts), counts, good_counts
    )


def label_statistics(labels: Int[Tensor, " n"], classes: int) -> ModeStatistics:
    """The same where a classifier names each sample's mode, as for stacked digits: each counts as good."""
    counts = torch.bincount(labels, minlength=classes).cpu()
    return ModeStatistics(int((counts > 0).sum()), 1.0, histogram_kl(counts), counts, counts)


def mixture_log_prob(
    x: Float[Tensor, "n d"], centres: Float[Tensor, "k d"], *, sigma: float
) -> Float[Tensor, " n"]:
    """ln p(x) in nats of equally heavy Gaussians N(centre, σ² I), in double: a perfect model's."""
    x, centres = x.double(), centres.double().to(x.device)
    squared = (x[:, None] - centres).square().sum(-1)
    constant = math.log(len(centres)) + x.shape[1] * (math.log(sigma) + 0.5 * math.log(2 * math.pi))
    return torch.logsumexp(-0.5 * squared / sigma**2, 1) - constant


def histogram_kl(counts: Int[Tensor, " k"], weights: Float[Tensor, " k"] | None = None) -> float:
    """Σ p ln(p / q) in nats, of the shares p of the counts from the weights q, uniform by default.

    From 0 to ln k where q is uniform: that is one mode alone. It is finite whatever modes are missed.
    """
    p = counts.double() / counts.sum()
    q = torch.full_like(p, 1 / len(p)) if weights is None else weights.double() / weights.sum()
    return torch.special.xlogy(p, p).sub(torch.special.xlogy(p, q)).sum().clamp(min=0).item()


def perfect_quality(radius: float, sigma: float, dimensions: int) -> float:
    """The share of high quality that draws of the mixture itself have, by their own centre.

    P(χ² ≤ (radius/σ)²) with as many degrees of freedom as dimensions have noise: 1 - exp(-4.5) = 0.989 within
    3σ in the plane. Nearer centres could only raise it.
    """
    half = torch.tensor([dimensions / 2, (radius / sigma) ** 2 / 2], dtype=torch.float64)
    return torch.special.gammainc(half[0], half[1]).item()


def perfect_found(modes: int, n: int, quality: float = 1.0) -> float:
    """The modes that n draws of the equally heavy mixture itself find on average."""
    return modes * -math.expm1(n * math.log1p(-quality / modes)) if quality < modes else float(modes)


def perfect_kl(modes: int, n: int) -> float:
    """The reverse KL that n draws of the mixture itself have on average, (k - 1) / 2n nats to first order."""
    return (modes - 1) / (2 * n)
