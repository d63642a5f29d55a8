"""Lines by formula, markers for what was trained: values, gradients, noise, and readings in the plane."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Any

import numpy as np
import torch

from pushforward.experiments.harness.experiment import Results
from pushforward.experiments.harness.summary import spread_of
from pushforward.experiments.js_vs_wasserstein import (
    CRITIC,
    LAMBDAS,
    NOISE,
    NOISY,
    NOT_STEEP,
    SHIFTS,
    STEEP_SHIFT,
    STEEPNESS,
    STEEPNESS_TWO_SIDED,
    TRAINED,
    TWO_SIDED,
    at,
    weighted,
)
from pushforward.experiments.js_vs_wasserstein.formulas import distances_and_slopes, optimal_discriminator
from pushforward.experiments.js_vs_wasserstein.trained import PLANAR, READINGS

COLOURS = {"KL": "#7f7f7f", "minimax": "#d62728", "−ln D": "#ff7f0e", "W1": "#1f77b4", "JS": "#9467bd"}
SHADES = dict(zip(READINGS, ("#1f77b4", "#aec7e8", "#2ca02c", "#98df8a"), strict=True))
FLOOR = 3e-7  # of the logarithmic panels: less is nothing
M = np.linspace(0.05, 30, 150)
EXAMPLE = 10.0


def draw(results: Results) -> Any:
    """Top: values, gradients, and a look at m = 10. Below: with noise, a draw's noise, λ, and the plane."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(18, 9.6), layout="constrained")
    halves = figure.add_gridspec(2, 1)
    top = halves[0].subgridspec(1, 3, width_ratios=[1, 1.6, 1.2])
    bottom = halves[1].subgridspec(1, 4, width_ratios=[1, 1, 0.8, 1.6])
    _values(figure.add_subplot(top[0]), results)
    _gradients(figure.add_subplot(top[1]), results, 0.0)
    _example(figure.add_subplot(top[2]))
    _gradients(figure.add_subplot(bottom[0]), results, NOISE)
    _noise(figure.add_subplot(bottom[1]), results)
    _steepness(figure.add_subplot(bottom[2]), results)
    _plane(figure.add_subplot(bottom[3]), results)
    return figure


def _points(
    ax: Any, results: Results, figure: str, method: str, colour: str, label: str, marker: str
) -> None:
    """Means over seeds with their spread; what is below the floor is put on it, hollow."""
    for m in SHIFTS:
        values = results.values(figure, method, at(m))
        mean, low = fmean(values), fmean(values) < FLOOR
        ax.errorbar(
            m,
            max(mean, FLOOR),
            min(spread_of(values, "sd") or 0.0, 0.9 * max(mean, FLOOR)),
            fmt=marker,
            color=colour,
            mfc="white" if low else colour,
            ms=7,
            capsize=3,
            label=label if m == SHIFTS[0] else None,
        )


def _values(ax: Any, results: Results) -> None:
    exact, noisy = distances_and_slopes(M.tolist()), distances_and_slopes(M.tolist(), NOISE)
    for name, label in (("KL", "KL = m²/2"), ("W1", "W₁ = m"), ("JS", "JS")):
        ax.plot(M, exact[name][0], color=COLOURS[name], label=label)
    ax.plot(M, noisy["JS"][0], "--", color=COLOURS["JS"], label=f"JS, noise {NOISE:g} on both")
    ax.axhline(math.log(2), color="black", lw=0.7, ls=":")
    ax.text(15, math.log(2) * 1.15, "ln 2", fontsize=9)
    _points(ax, results, "JS", TRAINED, COLOURS["JS"], "JS by a trained D", "o")
    _points(ax, results, "W1", CRITIC, COLOURS["W1"], "W₁ by a trained critic", "s")
    ax.set(yscale="log", ylim=(0.02, 2e4), xlabel="shift m", title="how far apart")
    ax.legend(fontsize=9, frameon=False, loc="upper left", ncols=2)


def _gradients(ax: Any, results: Results, noise: float) -> None:
    """Derivatives by m of what a generator descends."""
    optimal, suffix = optimal_discriminator(M.tolist(), noise), NOISY if noise else ""
    for loss in ("minimax", "−ln D"):
        ax.plot(M, optimal[loss][0], color=COLOURS[loss], label=f"{loss}, D optimal")
        _points(ax, results, f"slope, {loss}", TRAINED + suffix, COLOURS[loss], f"{loss}, D trained", "o")
    ax.axhline(1, color=COLOURS["W1"], label="W₁")
    if noise:
        ax.set(title=f"the same with noise {noise:g} on both sides", ylim=(1e-3, 3))
    else:
        ax.plot(M, M, "--", color=COLOURS["KL"], label="KL")
        _points(ax, results, "slope of W1", CRITIC, COLOURS["W1"], "W₁, critic trained", "s")
        ax.axhspan(FLOOR / 3, 1e-3, color="#d62728", alpha=0.07, lw=0)
        ax.text(29.5, 4e-4, "no signal", ha="right", va="top", fontsize=11, color="#a01010")
        ax.set(title="which way to go: the gradient that reaches the generator", ylim=(FLOOR / 2, 300))
    ax.set(yscale="log", xlabel="shift m", ylabel="gradient by m")
    ax.legend(
        fontsize=8 if noise else 9,
        frameon=False,
        loc="lower right" if noise else "upper left",
        ncols=1 if noise else 4,
    )


def _example(ax: Any) -> None:
    """Densities, the optimal discriminator and the best critic, at one shift."""
    x = np.linspace(-4, EXAMPLE + 4, 500)
    for mean, label, colour in ((0.0, "data", "#444444"), (EXAMPLE, "generator", "#aaaaaa")):
        density = np.exp(-((x - mean) ** 2) / 2) / math.sqrt(2 * math.pi)
        ax.fill_between(x, density, color=colour, alpha=0.5, lw=0, label=label)
    logit = torch.tensor(EXAMPLE * EXAMPLE / 2 - EXAMPLE * x)
    ax.plot(
        x,
        torch.sigmoid(logit),
        color=COLOURS["minimax"],
        lw=2,
        label="optimal D: flat where the generator is",
    )
    ax.plot(
        x,
        0.5 + 0.05 * (EXAMPLE / 2 - x),
        color=COLOURS["W1"],
        lw=2,
        label="best critic (scaled): slope everywhere",
    )
    ax.set(xlabel="x", title=f"m = {EXAMPLE:g}: what the generator sees", ylim=(-0.05, 1.6))
    ax.legend(fontsize=9, frameon=False, loc="upper right")


def _noise(ax: Any, results: Results) -> None:
    """Standard deviation of a draw's gradient over its mean."""
    optimal = optimal_discriminator(M.tolist())
    for loss in ("minimax", "−ln D"):
        mean, sd = optimal[loss]
        ax.plot(M, sd / mean, color=COLOURS[loss], label=f"{loss}, D optimal")
        _ratios(
            ax,
            results,
            f"sd of a draw, {loss}",
            f"slope, {loss}",
            TRAINED,
            COLOURS[loss],
            f"{loss}, D trained",
        )
    _ratios(ax, results, "sd of a draw, critic", "slope of W1", CRITIC, COLOURS["W1"], "W₁, critic trained")
    ax.axhline(1, color="black", lw=0.7, ls=":")
    ax.set(yscale="log", ylim=(1e-4, 1e5), xlabel="shift m", title="a draw's noise over the gradient")
    ax.legend(fontsize=8, frameon=False, loc="upper right")


def _ratios(ax: Any, results: Results, over: str, under: str, method: str, colour: str, label: str) -> None:
    pairs = [
        zip(results.values(over, method, at(m)), results.values(under, method, at(m)), strict=True)
        for m in SHIFTS
    ]
    ax.plot(SHIFTS, [fmean(a / abs(b) for a, b in pair) for pair in pairs], "o", color=colour, label=label)


def _steepness(ax: Any, results: Results) -> None:
    """Markers of one penalty's weight: the slope and what is read without correction; each two-sided seed."""
    x = np.linspace(0, 1.1, 50)
    ax.plot(x, 1 + x, color="black", lw=1, label="1 + m/(2λ)")
    for w in LAMBDAS:
        at_x = STEEP_SHIFT / (2 * w)
        for figure, label, marker, colour in (
            ("critic's slope", "slope", "o", COLOURS["W1"]),
            ("uncorrected, over W1", "reading over W₁, uncorrected", "x", COLOURS["minimax"]),
        ):
            mean = results.mean(figure, STEEPNESS, weighted(w))
            ax.plot(at_x, mean, marker, color=colour, ms=8, label=label if w == LAMBDAS[0] else None)
        slopes = results.values("critic's slope", STEEPNESS_TWO_SIDED, weighted(w))
        two_sided = "slope, two-sided penalty, a seed" if w == LAMBDAS[0] else None
        ax.plot([at_x] * len(slopes), slopes, "+", color="black", ms=11, label=two_sided)
    ax.set(xlabel="m/(2λ)", ylim=(-0.1, 2.9), title="the critic is too steep, or flat")
    ax.legend(fontsize=9, frameon=False, loc="upper left")


def _plane(ax: Any, results: Results) -> None:
    """Each reading over POT's, in the plane."""
    height = 0.8 / len(READINGS)
    for i, method in enumerate(READINGS):
        settings = NOT_STEEP if method == TWO_SIDED else list(PLANAR)
        ratios = [_over_pot(results, method, setting) for setting in settings]
        where = [list(PLANAR).index(setting) + i * height for setting in settings]
        spread = [spread_of(r, "sd") or 0.0 for r in ratios]
        ax.barh(where, [fmean(r) for r in ratios], height, xerr=spread, color=SHADES[method], label=method)
    ax.axvspan(0.95, 1.05, color="black", alpha=0.1, lw=0)
    ax.axvline(1, color="black", lw=0.8)
    ax.set_yticks([j + 0.4 - height / 2 for j in range(len(PLANAR))], list(PLANAR))
    ax.invert_yaxis()
    ax.set(xlim=(0, 1.15), xlabel="reading over POT's W₁; grey: to 5 %", title="in the plane")
    ax.legend(fontsize=9, loc="upper center", bbox_to_anchor=(0.4, -0.13), ncols=4, frameon=False)


def _over_pot(results: Results, method: str, setting: str) -> Sequence[float]:
    pairs = zip(
        results.values("W1", method, setting), results.values("W1 by POT", method, setting), strict=True
    )
    return [found / exact for found, exact in pairs]
