"""The measures on features in one table: features in, figures out.

`MEASURES` says of each what it needs and what it answers. `evaluation` runs them, the documentation lists
them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.metrics import fld as fld_module
from pushforward.metrics import frechet, kernel, memorisation, prdc, probabilistic, vendi
from pushforward.metrics import mind as mind_module
from pushforward.metrics.diversity import nearest_distances


@dataclass(frozen=True)
class Sets:
    """Features of samples, of held-out images, and of the training images; rows in random order."""

    fake: Float[Tensor, "m d"]
    held_out: Float[Tensor, "k d"]
    train: Float[Tensor, "n d"]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure. error: half of its 95 % interval, None where it has none.

    The intervals of frechet, kid, mmd_gaussian and mind are over the rows of both sides; those of other means
    and shares are over the rows of one set, and take the other sets as given.
    """

    name: str
    value: float
    error: float | None = None
    unit: str = ""
    higher_is_better: bool | None = None


@dataclass(frozen=True, kw_only=True)
class FeatureMeasure:
    """names: of its figures. asks: the question that it answers. least: rows that each set must have. run:
    the figures. fresh: whether its floor needs real images that are neither trained on nor held out: else
    samples are replaced by training images. cost: a "costly" one takes more than a second of 2,000 samples.
    """

    names: tuple[str, ...]
    asks: str
    least: int
    run: Callable[[Sets], list[Figure]]
    fresh: bool = False
    cost: str = "cheap"


Z95 = 1.959964
FITTED = 5000  # rows of a set that FLD takes: its cost grows with their square


def _frechet(sets: Sets) -> list[Figure]:
    told = frechet.extrapolated_frechet(sets.fake, sets.held_out)
    unit = "feature units²"
    return [
        Figure(
            name="frechet",
            value=told.value,
            error=told.half_width,
            unit=unit,
            higher_is_better=False,
        ),
        Figure(
            name="frechet_limit",
            value=told.limit,
            error=told.limit_half_width,
            unit=unit,
            higher_is_better=False,
        ),
    ]


def _kid(sets: Sets) -> list[Figure]:
    told = kernel.kid(sets.fake, sets.held_out)
    return [_lower("kid", told.value, told.standard_error, "MMD²")]


def _gaussian(sets: Sets) -> list[Figure]:
    told = kernel.gaussian_mmd(sets.fake, sets.held_out)
    return [_lower("mmd_gaussian", told.value, told.standard_error, "MMD²")]


def _mind(sets: Sets) -> list[Figure]:
    told = mind_module.mind(sets.fake, sets.held_out)
    return [_lower("mind", told.value, told.standard_error, "feature units²")]


def _prdc(sets: Sets) -> list[Figure]:
    told = prdc.prdc(sets.held_out, sets.fake)
    return [
        Figure(name=name, value=getattr(told, name), unit="share", higher_is_better=True)
        for name in ("precision", "recall", "density", "coverage")
    ]


def _probabilistic(sets: Sets) -> list[Figure]:
    told = probabilistic.probabilistic(sets.held_out, sets.fake)
    return [
        Figure(
            name=f"p_{name}",
            value=getattr(told, name),
            error=Z95 * getattr(told, f"{name}_error"),
            unit="share",
            higher_is_better=True,
        )
        for name in ("precision", "recall")
    ]


def _vendi(sets: Sets) -> list[Figure]:
    centre = sets.held_out.double().mean(0)  # else all images are alike, by what they have in common
    value = vendi.vendi(sets.fake.double() - centre)
    return [Figure(name="vendi", value=value, unit=f"of {len(sets.fake):,}", higher_is_better=True)]


def _fld(sets: Sets) -> list[Figure]:
    told = fld_module.fld(sets.train[:FITTED], sets.held_out[:FITTED], sets.fake[:FITTED])
    return [
        _lower("fld", told.value, told.standard_error, "nats/100 features"),
        Figure(name="fld_gap", value=told.gap, unit="nats/100 features", higher_is_better=True),
    ]


def _copies(sets: Sets) -> list[Figure]:
    authentic = memorisation.authenticity(sets.train, sets.fake)
    closer = memorisation.closer_to_train(sets.train, sets.held_out, sets.fake)
    return [
        _share("authentic", authentic, True),
        _share("closer_to_train", closer, False),
    ]


def _birthday(sets: Sets) -> list[Figure]:
    n = min(len(sets.fake), len(sets.train))
    usual = nearest_distances(sets.train[:n]).median().item()
    told = memorisation.birthday(sets.fake, usual)
    return [_share("repeats", told.repeats, False, "of pairs")]


def _lower(name: str, value: float, standard_error: float, unit: str) -> Figure:
    return Figure(name=name, value=value, error=Z95 * standard_error, unit=unit, higher_is_better=False)


def _share(name: str, share: memorisation.Share, higher: bool, unit: str = "share") -> Figure:
    error = max(share.high - share.value, share.value - share.low)
    return Figure(name=name, value=share.value, error=error, unit=unit, higher_is_better=higher)


MEASURES: Sequence[FeatureMeasure] = (
    FeatureMeasure(
        names=("frechet", "frechet_limit"),
        asks="how far are samples from data, as Gaussians",
        least=2 * frechet.LEAST,
        run=_frechet,
        cost="costly",
    ),
    FeatureMeasure(names=("kid",), asks="the same without a bias by n", least=kernel.LEAST, run=_kid),
    FeatureMeasure(
        names=("mmd_gaussian",), asks="the same by a Gaussian kernel", least=kernel.LEAST, run=_gaussian
    ),
    FeatureMeasure(
        names=("mind",),
        asks="the same along random lines, by fewer samples",
        least=mind_module.LEAST,
        run=_mind,
    ),
    FeatureMeasure(
        names=("precision", "recall", "density", "coverage"),
        asks="is what is made like the data, and is all of the data made",
        least=prdc.LEAST,
        run=_prdc,
    ),
    FeatureMeasure(
        names=("p_precision", "p_recall"),
        asks="the same with soft edges, which outliers move little",
        least=probabilistic.LEAST,
        run=_probabilistic,
    ),
    FeatureMeasure(
        names=("vendi",), asks="how many different samples are there", least=vendi.LEAST, run=_vendi
    ),
    FeatureMeasure(
        names=("fld", "fld_gap"),
        asks="how likely are held-out images; are training images copied",
        least=fld_module.LEAST,
        run=_fld,
        fresh=True,
    ),
    FeatureMeasure(
        names=("authentic", "closer_to_train"),
        asks="are samples copies of training images",
        least=memorisation.LEAST,
        run=_copies,
        fresh=True,
    ),
    FeatureMeasure(
        names=("repeats",), asks="how often are two samples the same", least=memorisation.LEAST, run=_birthday
    ),
)


def floor_sets(sets: Sets, *, fresh: bool) -> Sets | None:
    """Real images in place of samples: what a perfect model would score. None where there are too few.

    Without `fresh` as many training images as samples. With it half of the held-out images, against the other
    half, since training images would be taken for copies.
    """
    if not fresh:
        return Sets(sets.train[: len(sets.fake)], sets.held_out, sets.train)
    half = len(sets.held_out) // 2
    made, left = sets.held_out[:half], sets.held_out[half:]
    if half < fld_module.LEAST:
        return None
    return Sets(made, left, sets.train)


def shuffled(x: Tensor, n: int, seed: int) -> Tensor:
    """n rows in random order, the same for the same seed; all of them where there are fewer."""
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    return x[order[:n]]
