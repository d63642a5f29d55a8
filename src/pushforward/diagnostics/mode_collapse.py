"""Mode collapse: a generator that leaves out some of what there is (partial) or makes one thing (complete).

With known modes it is read off the histogram of samples over modes; without, off the histogram over cells of
real data (`metrics/diversity.py`). A mode or cell is *starved* where it holds less than a tenth of its due.
Whether so many starve by chance is asked of the binomial distribution, so that few samples of many modes,
which miss some even when they are drawn from the data, are not called ill.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float, Int
from scipy.special import bdtr, bdtrc
from torch import Tensor

from pushforward.core import Finding
from pushforward.diagnostics.advice import offered
from pushforward.metrics.modes import ModeStatistics

Verdict = Literal["none", "partial", "complete"]

STARVED = 0.1  # of a mode's due
CHANCE = 1e-4  # that samples of the data themselves would be called collapsed, each time they are looked at
ONE_THING = 1.5  # modes that the histogram spreads over, exp of its entropy: two equal ones would be 2
PLACE = 0.2  # of real data's spread: two neighbouring modes of `ring` or `grid` have 0.30 or 0.24 of it
GOOD = 0.5  # share of samples at modes, from which on only those are counted
LOST_MASS = 0.1  # of real data, in starved cells: cells are arbitrary, so that one alone says little
DUPLICATES = 0.25  # share of near-duplicates beyond that of real data
LEAST = 20  # samples that one thing may be told from
LISTED = 8  # names in a finding's evidence


@dataclass(frozen=True)
class Collapse:
    """A verdict and what it rests on.

    counts: samples of each mode or cell. starved: those with less than a tenth of their due. lost: the share
    of real data in them. chance: the probability that as many starve among samples of the data. effective:
    exp of the histogram's entropy, the number of equally filled modes that would be as spread. spread: mean
    distance of two samples over that of real data, 1 for a perfect model. duplicates: see
    `collapse_in_cells`; None where not looked at.
    """

    verdict: Verdict
    counts: Int[Tensor, " k"]
    starved: tuple[int, ...]
    lost: float
    chance: float
    effective: float
    spread: float
    duplicates: float | None = None


def collapse_in_modes(statistics: ModeStatistics, *, spread: float) -> Collapse:
    """The verdict where modes are known and equally heavy.

    spread: mean distance of two samples over that of real data. Where most samples are at a mode, the others
    are left out of the histogram: a mode is not found by what lies on the way to it. Else each counts for the
    nearest mode: a blob around all of them is bad, but has not collapsed. Partial: modes starve beyond
    chance. Complete: nearly all are at one mode, or in one place that is at none.
    """
    at_modes = statistics.quality >= GOOD
    counts = statistics.good if at_modes else statistics.nearest
    weights = torch.full((len(counts),), 1 / len(counts))
    # Modes may lie close to each other, so being at two of them outweighs how near those are.
    several = at_modes and effective_modes(counts) >= ONE_THING
    return _judge(counts, weights, 1.0 if several else spread, least_lost=0.0, told=spread)


def collapse_in_cells(
    counts: Int[Tensor, " k"],
    weights: Float[Tensor, " k"],
    *,
    spread: float,
    duplicates: float = 0.0,
    real_duplicates: float = 0.0,
) -> Collapse:
    """The verdict from cells of real data. counts: samples of each. weights: real data's share of each.

    duplicates, real_duplicates: share of near-duplicates among samples and among real data. Partial: cells
    with a tenth of the real data starve, beyond chance; or a quarter more of the samples than of real data
    are near-duplicates. Complete: nearly all are in one cell, or in one place.
    """
    found = _judge(counts, weights, spread, least_lost=LOST_MASS, told=spread)
    repeated = found.verdict == "none" and duplicates - real_duplicates > DUPLICATES
    return replace(found, verdict="partial" if repeated else found.verdict, duplicates=duplicates)


def _judge(counts: Tensor, weights: Tensor, spread: float, *, least_lost: float, told: float) -> Collapse:
    n = int(counts.sum())
    due = n * weights.double()
    limits = (STARVED * due).ceil().sub(1).clamp(min=0)  # the most samples that a starved mode has
    starved = tuple((counts <= limits).nonzero().flatten().tolist())
    chance = _chance(len(starved), n, weights, limits)
    lost = float(weights[list(starved)].sum())
    effective = effective_modes(counts)
    verdict: Verdict = "none"
    if spread < PLACE or (n >= LEAST and effective < ONE_THING and len(counts) > 1):
        verdict = "complete"
    elif starved and chance < CHANCE and lost >= least_lost:
        verdict = "partial"
    return Collapse(verdict, counts, starved, lost, chance, effective, told)


def _chance(starved: int, n: int, weights: Tensor, limits: Tensor) -> float:
    """P(at least so many of k modes starve) for n samples of the data.

    Each mode's count is binomial. Counts are taken as independent: in truth one that starves feeds the
    others, so the tail is overestimated. Modes of unequal weight are taken at their mean chance, which bounds
    the tail above the mean (Hoeffding 1956).
    """
    if not starved or not n:
        return 1.0
    each = bdtr(limits.numpy(), n, weights.double().numpy())  # P(count ≤ limit)
    return float(bdtrc(starved - 1, len(weights), each.mean()))


def effective_modes(counts: Int[Tensor, " k"]) -> float:
    """exp of the histogram's entropy in nats: from 1 (all in one) to k (all alike); 0 for no samples."""
    n = counts.sum()
    if not n:
        return 0.0
    p = counts.double() / n
    return math.exp(-torch.special.xlogy(p, p).sum().item())


def diagnose_mode_collapse(
    collapse: Collapse,
    *,
    names: Sequence[str] = (),
    what: str = "modes",
    command: str = "",
    options: Collection[str] | None = None,
) -> Finding | None:
    """A finding where the verdict is partial or complete, else None.

    names: of the modes. what: what they are called. command: the remedy. options: see `advice`. It is as
    sure as chance is improbable, at most 99 %, and 90 % where the verdict rests on the spread or on
    duplicates alone.
    """
    if collapse.verdict == "none" or (len(collapse.counts) < 2 and collapse.verdict == "partial"):
        return None  # of a single cell none is left out
    k, n = len(collapse.counts), int(collapse.counts.sum())
    complete = collapse.verdict == "complete"
    evidence = (
        f"{k - len(collapse.starved)} of {k} {what} hold at least a tenth of their due of {n:,} samples"
    )
    if collapse.starved and not complete:
        evidence += f"; missing: {_listed(collapse.starved, names)}"
    evidence += f"; the mean distance of two samples is {collapse.spread:.2g} of real data's"
    if collapse.duplicates is not None and collapse.duplicates > DUPLICATES:
        evidence += f"; {collapse.duplicates:.0%} of them have a near-duplicate"
    return Finding(
        name=f"mode-collapse-{collapse.verdict}",
        severity="critical" if complete else "warning",
        confidence=0.99 if collapse.chance < CHANCE else 0.9,
        evidence=evidence,
        advice="take a critic that pairs real with generated data and whose slope is bounded, or one that "
        "sees several samples at once (`pack`), or put noise on what it sees (`noise`)"
        if offered("pack", options)
        else "train for longer, or transform what the critic sees (`augment`)",
        command=command,
        headline="the generator makes one thing, whatever it is given"
        if complete
        else "the generator leaves out some of what there is",
    )


def _listed(starved: Sequence[int], names: Sequence[str]) -> str:
    told = [names[i] if names else f"number {i + 1}" for i in starved[:LISTED]]
    more = len(starved) - len(told)
    return ", ".join(told) + (f" and {more} more" if more else "")
