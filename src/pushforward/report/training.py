"""The curves of a run from its rows of metrics: one panel a quantity, whatever the method logged."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

from pushforward.data.kinds import IMAGE, Kind
from pushforward.report import svg
from pushforward.report.words import number

MOST_POINTS = 200
# Early steps can be hundreds of times worse than the rest; the axis is chosen without them.
EARLY = 0.04

# {row} is the kind of data: image or point.
NAMES = {
    "kl": ("KL from the prior", "nats/{row}"),
    "reconstruction": ("Reconstruction term, −ln p(x|z)", "nats/{row}"),
    "information": ("What z tells of the {row}", "nats/{row}"),
    "active_units": ("Active latent dimensions", ""),
    "elbo": ("Lower bound on ln p(x), one sample", "nats/{row}"),
    "fool": ("Adversarial loss of the generator", ""),
    "cycle": ("What comes back: error of the cycle", ""),
    "identity": ("Change of images that are of the domain already", ""),
    "nce": ("Images and their translations: PatchNCE", "nats"),
    "identity_nce": ("Images of the domain already: PatchNCE", "nats"),
    "modes": ("Modes found", "modes"),
    "cells": ("Cells of the real data that are filled", "cells"),
    "high_quality": ("Samples of high quality", "share"),
    "reverse_kl": ("Reverse KL over modes", "nats"),
    "spread": ("Spread of the samples", "1 is the real data's"),
    "near_duplicates": ("Samples with a near-duplicate", "share"),
    "critic_accuracy": ("Critic: pairs ordered rightly", "½ is by chance"),
    "critic_saturation": ("Critic: scores where the sigmoid is flat", "share"),
    "mind": ("Samples to training images: MIND", "lower is better"),
    "p_precision": ("Samples that look real: P-precision", "probability"),
    "p_recall": ("Training images that are covered: P-recall", "probability"),
    "generator_gradient": ("Gradient that reaches the generator", "norm"),
}
# Quantities that share a panel: its title and unit, and what each line is called.
TOGETHER = (
    (
        "Slope of the critic, between real and generated data",
        "score a unit",
        {"slope": "mean", "lipschitz": "largest"},
    ),
    ("Dead units of the generator", "share", {f"dead_units_{i}": f"layer {i}" for i in range(1, 11)}),
)
FROM_ZERO = ("share", "modes", "cells")  # units of what is never below
LOGARITHMIC = 30.0  # times from the least value to the largest, where a norm is drawn
# What the validation calls by another name than training does.
SAME = {"metric/validation_elbo": "metric/elbo"}


@dataclass(frozen=True)
class Series:
    """One line of a panel. name: what it is, where a panel has two."""

    name: str
    steps: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Panel:
    """One drawn quantity. cut: a sentence where early values leave the axis.

    svg: the empty string where nothing changed, so that a sentence says all.
    """

    title: str
    unit: str
    series: tuple[Series, ...]
    svg: str
    cut: str


def panels(
    rows: Sequence[Mapping[str, Any]], kind: Kind = IMAGE, best: Mapping[str, Any] | None = None
) -> list[Panel]:
    """A panel for each quantity: losses first, then what the method and the validation logged.

    A quantity that both training and validation log shares a panel, and so do a loss that is the
    negative ELBO and the validation's ELBO. kind: what a row of the data is. best: the metric that chose the
    best weights, and their step, which is marked.
    """
    lines = collect(rows)
    drawn = []
    chosen = None if best is None else (SAME.get(key := f"metric/{best['metric']}", key), best["step"])
    losses = [key for key in lines if key.startswith("loss/")]
    for key in losses:
        own = lines.pop(key)
        if is_negative_bound(rows, key) and (bound := lines.pop("metric/elbo", None)):
            negative = Series("", bound.steps, tuple(-v for v in bound.values))
            mark = _mark(chosen, "metric/elbo")
            drawn.append(_panel("Loss, the negative bound", kind.per("nats"), _both(own, negative), mark))
        else:
            name = f"Loss of the {key.partition('/')[2].replace('_', ' ')}" if len(losses) > 1 else "Loss"
            drawn.append(_panel(name, "", (own,)))
    lookers = dict.fromkeys(key.partition("/")[2].rpartition("/")[0] for key in lines)
    shared = [_shared_panel(*group, lines, of) for of in lookers for group in TOGETHER]
    for key in list(lines):
        if key in lines:
            drawn.append(_other_panel(key, lines, kind, chosen))
    drawn += [panel for panel in shared if panel is not None]
    return drawn


def is_negative_bound(rows: Sequence[Mapping[str, Any]], loss: str) -> bool:
    """Whether a loss is, row by row, the negative ELBO: the sum of the logged reconstruction term and KL."""
    parts = ("info/kl", "info/reconstruction", loss)
    known = [tuple(row[key] for key in parts) for row in rows if all(key in row for key in parts)]
    finite = [values for values in known if all(map(math.isfinite, values))]
    return bool(finite) and all(math.isclose(kl + r, total, rel_tol=1e-3) for kl, r, total in finite)


def _mark(chosen: tuple[str, int] | None, key: str) -> int | None:
    """The step to mark in the panel of a metric."""
    return chosen[1] if chosen is not None and chosen[0] == key else None


def _other_panel(key: str, lines: dict[str, Series], kind: Kind, chosen: tuple[str, int] | None) -> Panel:
    """The panel of a quantity that is no loss; takes its lines away."""
    group, _, name = key.partition("/")
    of, _, what = name.rpartition("/")
    title, unit = what.replace("_", " ").capitalize(), ""
    plain, _, features = what.partition("[")
    if plain in NAMES:
        title, unit = (text.format(row=kind.name) for text in NAMES[plain])
        unit += f", on {features.rstrip(']')}" if features else ""
    own = lines.pop(key)
    held_out = lines.pop(f"metric/{name}", None) if group == "info" else None
    series = (own,) if held_out is None else _both(own, held_out)
    return _panel(_of(title, of), unit, series, _mark(chosen, f"metric/{name}"))


def _of(title: str, looker: str) -> str:
    """A title that says whose figure it is, where several look at one run."""
    return f"{title} ({looker})" if looker else title


def _shared_panel(
    title: str, unit: str, names: Mapping[str, str], lines: dict[str, Series], looker: str
) -> Panel | None:
    """One panel of several quantities; takes their lines away. None where none was logged."""
    keys = {name: f"metric/{looker}/{name}" if looker else f"metric/{name}" for name in names}
    found = {name: lines.pop(key) for name, key in keys.items() if key in lines}
    series = tuple(replace(line, name=names[name]) for name, line in found.items())
    return _panel(_of(title, looker), unit, series) if series else None


def _both(training: Series, held_out: Series) -> tuple[Series, Series]:
    return replace(training, name="training"), replace(held_out, name="held out")


def collect(rows: Sequence[Mapping[str, Any]]) -> dict[str, Series]:
    """Every logged `group/name` as a line, losses first, without what is no number."""
    points: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        for key, value in row.items():
            if "/" not in key or isinstance(value, bool) or not isinstance(value, int | float):
                continue
            if math.isfinite(value):
                points.setdefault(SAME.get(key, key), []).append((row.get("step", 0), value))
    order = {"loss": 0, "info": 1, "metric": 2}
    keys = sorted(points, key=lambda key: order.get(key.partition("/")[0], 3))
    return {key: _thinned(points[key]) for key in keys}


def axis_limits(series: Sequence[Series]) -> tuple[float, float] | None:
    """Limits that show everything after the first steps; None where that is everything anyway."""
    late: list[float] = []
    every: list[float] = []
    for s in series:
        start = EARLY * s.steps[-1]
        kept = [v for step, v in zip(s.steps, s.values, strict=True) if step > start]
        late += kept if len(kept) >= 5 else s.values
        every += s.values
    low, high = min(late), max(late)
    margin = 0.06 * (high - low)
    if margin == 0:
        return (0, 1.2 * high) if high > 0 else None
    if min(every) >= low - 5 * margin and max(every) <= high + 5 * margin:
        return None
    return low - margin, high + margin


def _panel(title: str, unit: str, series: tuple[Series, ...], mark: int | None = None) -> Panel:
    values = [v for s in series for v in s.values]
    if len(values) > len(series) and max(values) == min(values):
        return Panel(title, unit, series, "", "")
    log = unit == "norm" and min(values) > 0 and max(values) > LOGARITHMIC * min(values)
    limits = None if log else axis_limits(series)
    if unit in FROM_ZERO:
        limits = (0, 1.08 * max(values) or 1)
    first = series[0].values[0]
    outside = limits is not None and not limits[0] <= first <= limits[1]
    drawing = svg.lines(
        [(s.steps, s.values) for s in series],
        names=[s.name for s in series] if len(series) > 2 else (),
        mark=mark,
        label=escape(f"{title} over training steps"),
        limits=limits,
        log=log,
    )
    return Panel(title, unit, series, drawing, f"starts at {number(first)}, off the axis" if outside else "")


def _thinned(points: Sequence[tuple[float, float]]) -> Series:
    """At most MOST_POINTS points, each the mean of its neighbours."""
    size = -(-len(points) // MOST_POINTS)
    groups = [points[i : i + size] for i in range(0, len(points), size)]
    steps = tuple(group[-1][0] for group in groups)
    return Series("", steps, tuple(sum(v for _, v in group) / len(group) for group in groups))
