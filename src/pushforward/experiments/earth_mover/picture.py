"""Every plan of both examples as arcs, and every critic's score beside every plan's cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from pushforward.experiments.earth_mover import (
    SIX,
    TWO,
    Piles,
    critic_values,
    every_plan,
    piles,
    plan_costs,
    ways,
)

FROM, TO, CRITIC = "#1f77b4", "#d62728", "#2ca02c"
COLUMNS = 6
DISTANCES = (1, 9)  # the range of the arcs' colours


def draw() -> Any:
    """Top: the two plans of two boxes, and plans beside critics for both. Below: the plans of six boxes."""
    from matplotlib.figure import Figure

    plans = list(every_plan(*_masses(piles(SIX, 0))))
    rows = -(-len(plans) // COLUMNS)
    figure = Figure(figsize=(15, 4.2 + 1.75 * rows), layout="constrained")
    halves: Any = figure.subfigures(2, 1, height_ratios=[4.2, 1.75 * rows])
    top, bottom = halves
    shapes = top.subplots(1, 4, width_ratios=[1, 1, 1.1, 1.1])
    two = piles(TWO, 0)
    for ax, plan in zip(shapes[:2], every_plan(*_masses(two)), strict=True):
        _plan(ax, plan, two, size=11)
    for ax, setting in zip(shapes[2:], (TWO, SIX), strict=True):
        _duality(ax, setting)
    bottom.suptitle("six boxes: all 24 plans, and how far each takes the boxes", fontsize=12)
    for ax, plan in zip(bottom.subplots(rows, COLUMNS).flat, plans, strict=True):
        _plan(ax, plan, piles(SIX, 0), size=8)
    return figure


def _masses(problem: Piles) -> tuple[list[int], list[int]]:
    return problem.boxes.tolist(), problem.wanted.tolist()


def _plan(ax: Any, plan: Sequence[Sequence[int]], problem: Piles, *, size: float) -> None:
    """Filled boxes are where they are, outlined ones where they are to go; an arc a box."""
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    sources, targets = problem.from_[:, 0], problem.to[:, 0]
    for places, counts, style in (
        (sources, problem.boxes, {"facecolor": FROM, "edgecolor": "white"}),
        (targets, problem.wanted, {"facecolor": "white", "edgecolor": TO, "linewidth": 1.5}),
    ):
        for place, count in zip(places, counts, strict=True):
            for k in range(count):
                ax.add_patch(Rectangle((place - 0.4, 0.8 * k), 0.8, 0.7, **style))
    colours, (near, far) = colormaps["viridis_r"], DISTANCES
    left_at, left_to = np.zeros(len(sources)), np.zeros(len(targets))
    for i, row in enumerate(plan):
        for j, count in enumerate(row):
            for _ in range(count):
                low, high = 0.8 * left_at[i] + 0.35, 0.8 * left_to[j] + 0.35
                left_at[i] += 1
                left_to[j] += 1
                length = abs(sources[i] - targets[j])
                t = np.linspace(0, 1, 24)
                arc = (1 - t) * low + t * high + (0.6 + 0.42 * length) * 4 * t * (1 - t)
                colour = colours((length - near) / (far - near))
                ax.plot(sources[i] + t * (targets[j] - sources[i]), arc, color=colour, lw=1.6)
    taken = ways(plan, problem)
    ax.set_title(f"{'+'.join(map(str, taken))} = {sum(taken)}", fontsize=size)
    every = np.concatenate([sources, targets])
    ax.set(xlim=(every.min() - 0.8, every.max() + 0.8), ylim=(-0.1, 2.6 + 0.42 * np.ptp(every)), yticks=[])
    ax.set_xticks(sorted({int(x) for x in every}), sorted({int(x) for x in every}), fontsize=size)
    ax.spines[["left", "top", "right"]].set_visible(False)


def _duality(ax: Any, setting: str) -> None:
    """How many critics tell so much apart, how many plans cost so much: they meet at W₁."""
    problem = piles(setting, 0)
    values, costs = critic_values(problem), plan_costs(problem)
    for what, found, colour in (
        (f"{len(values)} critics", values, CRITIC),
        (f"{len(costs)} plans", costs, TO),
    ):
        counts = Counter(round(v) for v in found)
        share = [100 * n / len(found) for n in counts.values()]
        ax.bar(list(counts), share, 0.8 if setting == TWO else 1.6, color=colour, alpha=0.75, label=what)
    ax.axvline(min(costs), color="black", lw=1, ls="--")
    ax.set(xlabel="score apart, or cost", ylabel="% of them", title=f"{setting}: W₁ = {min(costs):g}")
    if setting == SIX:
        ax.set_yscale("log")
    ax.set_ylim(top=ax.get_ylim()[1] * (3 if setting == SIX else 1.3))
    ax.legend(loc="upper left", edgecolor="none", framealpha=1)
