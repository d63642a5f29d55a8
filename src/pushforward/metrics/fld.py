"""FLD, the feature likelihood divergence: held-out images under a density about the samples; copies are told.

M. Jiralerspong, A. J. Bose, I. Gemp, C. Qin, Y. Bachrach and G. Gidel, *Feature Likelihood Divergence:
Evaluating the Generalization of Generative Models Using Samples*, NeurIPS 2023, section 3, and the authors'
code.

An even mixture of Gaussians stands at the samples' features, each with a variance of its own, which is
fitted to the training images. A sample that is a copy of one shrinks to a point, and says nothing of
held-out images.

Deviations from the code:
1. Variances are fitted by expectation-maximisation from the code's start, instead of 50 steps of Adam.
2. A Gaussian that answers for less than 1e-5 of an image keeps its first variance, which nothing determines.
3. Features that do not vary in the held-out images are left out, instead of dividing by zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.metrics.features import checked

LEAST = 20  # rows of each set
STEPS, TOLERANCE = 100, 1e-7  # of the mean log-likelihood of a feature
SMALLEST, LARGEST = math.exp(-40), math.exp(20)  # variances, as in the code
IDLE = 1e-5  # images: a Gaussian that answers for less is not determined by them, and keeps its start
NUDGE = 1e-3  # keeps a copy's first variance above 0
SHRINK = 0.9**2  # of distances to the broad Gaussian


@dataclass(frozen=True)
class FLD:
    """value: 100/d times what held-out images lack in log-likelihood, in nats, against training images in
    place of samples: 0 is as good as real ones, more is worse. standard_error: over held-out images. gap:
    what they lack against training images, with its sign turned: near 0 where the model generalises, far
    below where it copies.
    """

    value: float
    standard_error: float
    gap: float


def fld(train: Float[Tensor, "n d"], held_out: Float[Tensor, "k e"], fake: Float[Tensor, "m f"]) -> FLD:
    """Of features, which are brought to the mean 0 and deviation 1 of the held-out ones.

    The reference is a density about half of the training images, fitted to the other half; at most as many as
    samples. Give rows in random order. Raises UserError for fewer than 20 rows of a set.
    """
    train, held_out, fake = checked(LEAST, train=train, held_out=held_out, fake=fake)
    mean, std = held_out.mean(0), held_out.std(0)
    vary = std > 1e-9 * std.max().clamp(min=1e-300)
    train, held_out, fake = (((x - mean) / std)[:, vary] for x in (train, held_out, fake))
    variances, _ = _fit(fake, train)
    seen = _log_likelihoods(train, fake, variances)
    unseen = _log_likelihoods(held_out, fake, variances)
    half = min(len(fake), len(train) // 2)
    own = _log_likelihoods(held_out, train[:half], _fit(train[:half], train[half:])[0])
    per_image = 100 * (own - unseen)
    error = per_image.std().item() / len(per_image) ** 0.5
    return FLD(per_image.mean().item(), error, 100 * (unseen.mean() - seen.mean()).item())


def _fit(
    centres: Float[Tensor, "m d"], x: Float[Tensor, "n d"]
) -> tuple[Float[Tensor, " m"], Float[Tensor, ""]]:
    """The variance of each Gaussian, and one of a broad Gaussian, that make x most likely."""
    d = x.shape[1]
    squares = _squares(x, centres)
    broad = SHRINK * (x - x.mean(0)).square().sum(1, keepdim=True)
    squares = torch.cat([squares, broad], 1)
    weights = torch.full((len(centres) + 1,), -math.log(len(centres)), dtype=torch.float64)
    weights[-1] = 0.0  # the code's: as heavy as all others together
    variances = torch.cat([(squares[:, :-1].amin(0) + NUDGE) / d, torch.ones(1, dtype=torch.float64)])
    before = -math.inf
    for _ in range(STEPS):
        joint = _joint(squares, variances, weights, d)
        total = torch.logsumexp(joint, 1, keepdim=True)
        now = total.mean().item() / d
        if now - before < TOLERANCE:
            break
        before = now
        share = joint.sub_(total).exp_()
        mass = share.sum(0)
        fitted = (share * squares).sum(0) / (d * mass.clamp(min=1e-300))
        variances = torch.where(mass > IDLE, fitted.clamp(SMALLEST, LARGEST), variances)
    return variances[:-1], variances[-1]


def _log_likelihoods(
    x: Float[Tensor, "n d"], centres: Float[Tensor, "m d"], variances: Float[Tensor, " m"]
) -> Float[Tensor, " n"]:
    """ln p(x) / d, of the even mixture."""
    d = x.shape[1]
    weights = torch.full((len(centres),), -math.log(len(centres)), dtype=torch.float64)
    return torch.logsumexp(_joint(_squares(x, centres), variances, weights, d), 1) / d


def _joint(squares: Tensor, variances: Tensor, weights: Tensor, d: int) -> Tensor:
    return squares * (-0.5 / variances) + (weights - d / 2 * (2 * math.pi * variances).log())


def _squares(x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
    squares = torch.addmm(y.square().sum(1), x, y.T, alpha=-2).add_(x.square().sum(1)[:, None])
    return squares.clamp_(min=0)
