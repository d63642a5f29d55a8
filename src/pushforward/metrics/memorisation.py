"""Whether a model copies what it was trained on, and whether it repeats itself.

A. Alaa, B. van Breugel, E. Saveliev and M. van der Schaar, *How Faithful is your Synthetic Data?*, ICML 2022
(authenticity, here AuthPct as M. Jiralerspong et al., NeurIPS 2023, report it, without the 50 % that their
code takes off). S. Arora, A. Risteski and Y. Zhang, *Do GANs learn the distribution? Some theory and
empirics*, ICLR 2018 (the birthday test).

Deviation of the birthday test: near-duplicates are told by a distance instead of by eye, so the estimate
counts cells of that size. Read it beside the same figure of real images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.metrics.features import checked
from pushforward.metrics.neighbours import clouds, kth_squared_distances, nearest
from pushforward.metrics.shares import wilson

LEAST = 10  # rows
NEAR = 0.25  # of the usual distance from a real image to the nearest other: as `diversity.near_duplicates`
BATCH = 200  # samples in which a pair is looked for


@dataclass(frozen=True)
class Share:
    """A share of n rows, and its 95 % interval by Wilson."""

    value: float
    low: float
    high: float
    n: int


def share_of(hits: Tensor) -> Share:
    """Of rows that are true."""
    value = hits.double().mean().item()
    return Share(value, *wilson(value, len(hits)), len(hits))


def authenticity(train: Float[Tensor, "n d"], fake: Float[Tensor, "m e"]) -> Share:
    """The share of samples that are farther from the nearest training image than that is from any other.

    For a perfect sampler 1 less the chance that two points are each other's nearest: ⅓ on a line, and about ½
    of features in many dimensions. 0 for copies. Raises UserError for fewer than 10 rows.
    """
    checked(LEAST, train=train, fake=fake)
    x, y = clouds(train, fake)
    distance, index = nearest(y, x)
    return share_of(distance > kth_squared_distances(x, 1)[index])


def closer_to_train(
    train: Float[Tensor, "n d"], held_out: Float[Tensor, "k e"], fake: Float[Tensor, "m f"]
) -> Share:
    """The share of samples that are nearer to a training image than to any held-out one. ½ without copying.

    As many training images as held-out ones are looked at, the first of the longer set, so give rows in
    random order. A tie is half a hit. Raises UserError for fewer than 10 rows.
    """
    checked(LEAST, train=train, held_out=held_out, fake=fake)
    n = min(len(train), len(held_out))
    seen, unseen, made = clouds(train[:n], held_out[:n], fake)
    a, b = nearest(made, seen)[0], nearest(made, unseen)[0]
    return share_of((a < b).double() + 0.5 * (a == b).double())


@dataclass(frozen=True)
class Birthday:
    """repeats: pairs of near-duplicates among pairs of samples. support: 1 / that share, the size of an even
    distribution that repeats itself as often; infinite where no pair was found."""

    repeats: Share
    support: float


def birthday(fake: Float[Tensor, "m d"], usual: float) -> Birthday:
    """How often two samples are nearly the same.

    usual: the median distance from a real image to the nearest other, of as many real images as samples.
    Two draws from an even distribution over N cells meet with probability 1/N. Raises UserError for fewer
    than 10 rows.
    """
    (x,) = checked(LEAST, fake=fake)
    parts = [part for part in x.split(BATCH) if len(part) > 1]
    met = [_met(part, NEAR * usual) for part in parts]
    pairs = sum(len(part) * (len(part) - 1) // 2 for part in parts)
    hits = int(sum(m.sum() for m in met)) // 2
    share = hits / pairs
    interval = wilson(share, max(1, round(pairs / _dependence(met, share))))
    return Birthday(Share(share, *interval, pairs), pairs / hits if hits else float("inf"))


def _met(x: Float[Tensor, "b d"], reach: float) -> Float[Tensor, " b"]:
    """How many other rows are nearer to each than that."""
    near = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist") < reach
    return near.fill_diagonal_(False).sum(1).double()


def _dependence(met: Sequence[Float[Tensor, " _"]], share: float) -> float:
    """By how much the variance of the share of pairs exceeds that of as many independent ones; 1 at least.

    A sample of a crowded cell meets many others, so pairs that share it go together. The variance of a mean
    over pairs of b rows is 2/b(b - 1) [2 (b - 2) ζ₁ + ζ₂] (Hoeffding 1948), ζ₁ that of a row's chance to meet
    another, ζ₂ that of one pair. met: how many others each row meets, by batch.
    """
    zeta2 = share * (1 - share)
    if not zeta2:
        return 1.0
    b = sum(map(len, met)) / len(met)
    seen = torch.cat([m / (len(m) - 1) for m in met]).var().item()
    zeta1 = max(0.0, (seen - zeta2 / (b - 1)) / (1 - 1 / (b - 1)))
    return max(1.0, (2 * (b - 2) * zeta1 + zeta2) / zeta2)
