"""Whether a model copies what it was trained on, and whether it repeats itself.

A. Alaa, B. van Breugel, E. Saveliev and M. van der Schaar, *How Faithful is your Synthetic Data?*, ICML 2022
(authenticity, here AuthPct as M. Jiralerspong et al., NeurIPS 2023, report it, without the 50 % that their
code takes off). S. Arora, A. Risteski and Y. Zhang, *Do GANs learn the distribution? Some theory and
empirics*, ICLR 2018 (the birthday test).

Deviation of the birthday test: near-duplicates are told by a distance instead of by eye, so the estimate
counts cells of that size. Read it beside the same figure of real images.
"""

from __future__ import annotations

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

    About ½ for a perfect sampler, 0 for copies. Raises UserError for fewer than 10 rows.
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
    met, pairs = 0, 0
    for part in x.split(BATCH):
        d = torch.pdist(part)
        met, pairs = met + int((d < NEAR * usual).sum()), pairs + len(d)
    share = met / pairs
    return Birthday(Share(share, *wilson(share, pairs), pairs), pairs / met if met else float("inf"))
