"""From the figures of cells to rows and checks. Torch-free."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from pushforward.experiments.harness.experiment import (
    Check,
    Claim,
    Experiment,
    Incomplete,
    Results,
    Row,
    SpreadKind,
)


def spread_of(values: Sequence[float], kind: SpreadKind) -> float | None:
    """The sample standard deviation (n - 1), or that over √n; None for fewer than two values."""
    if len(values) < 2:
        return None
    sd = statistics.stdev(values)
    return sd / math.sqrt(len(values)) if kind == "standard error" else sd


def seed_rows(experiment: Experiment, results: Results) -> list[Row]:
    """The mean of each figure over the seeds that finished, with the paper's number where there is one.

    One row per (method, setting, figure), methods and settings in the order of the cells, figures in that
    of the experiment.
    """
    groups: dict[tuple[str, str], list[dict[str, float]]] = {}
    for cell, figures in results.figures.items():
        groups.setdefault((cell.method, cell.setting), []).append(dict(figures))
    return [
        _row(experiment, method, setting, name, [f[name] for f in cells if name in f])
        for (method, setting), cells in groups.items()
        for name in experiment.figures
        if any(name in figures for figures in cells)
    ]


def _row(experiment: Experiment, method: str, setting: str, name: str, values: Sequence[float]) -> Row:
    figure = experiment.figures[name]
    published = experiment.published.get((method, setting, name))
    return Row(
        method=method,
        setting=setting,
        figure=name,
        value=statistics.fmean(values),
        unit=figure.unit,
        spread=spread_of(values, figure.spread),
        spread_kind=figure.spread,
        n=len(values),
        paper=None if published is None else published.value,
        source=None if published is None else published.source,
    )


def check(claim: Claim, results: Results) -> Check:
    """Look whether a claim holds. One whose cells failed, or whose value is NaN, does not."""
    value: float | None
    try:
        value = float(claim.value(results))
    except Incomplete:
        value = None
    holds = value is not None and (value <= claim.bound if claim.sense == "<=" else value >= claim.bound)
    return Check(
        claim=claim.claim,
        holds=holds,
        value=value if value is None or math.isfinite(value) else None,
        sense=claim.sense,
        bound=claim.bound,
        required=claim.required,
    )
