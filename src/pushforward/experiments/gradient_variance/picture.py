"""Measured points on the lines of quadrature, and bars for what is in use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pushforward.experiments.gradient_variance import autoencoder, gaussian, regression
from pushforward.experiments.gradient_variance.gaussian import FUNCTIONS, METHODS, USUAL, setting
from pushforward.experiments.harness.experiment import Results
from pushforward.experiments.harness.summary import spread_of
from pushforward.objectives.montecarlo import power_law_slope

COLOURS = dict(zip(METHODS, ("C3", "C1", "C8", "C4", "C5", "C0", "C2"), strict=True))
MARKERS = dict(zip(METHODS, "vs+xDo^", strict=True))
SHOWN = "cos(kx)"  # of which the panels by N and by D are
LEAST = 1e-4  # what varies less is below the panel


def draw(results: Results) -> Any:
    """Rows: by k for μ, by k for σ, by σ with N and D, and what is in use. Error bars: sd over seeds."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 18), layout="constrained")
    axes = figure.subplots(4, 3)
    for row, symbol in zip(axes[:2], gaussian.PARAMETERS.values(), strict=True):
        for ax, f in zip(row, FUNCTIONS, strict=True):
            _sweep(ax, results, f, "k", gaussian.KS, symbol)
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=len(METHODS), frameon=False)
    by_draws, by_dimension, by_sigma = axes[2]
    _sweep(by_draws, results, SHOWN, "N", gaussian.DRAWS, "μ", slopes=True)
    by_draws.set_ylim(bottom=by_draws.get_ylim()[0] / 300)
    by_draws.legend(fontsize=8, title="slope", loc="lower left")
    _sweep(by_dimension, results, SHOWN, "D", gaussian.DIMENSIONS, "μ")
    _sweep(by_sigma, results, SHOWN, "σ", gaussian.SIGMAS, "μ")
    encoder = "encoder's variance"
    _bars(axes[3, 0], results, autoencoder.GAUSSIAN, autoencoder.GAUSSIAN_METHODS, {encoder: "C0"})
    _bars(axes[3, 1], results, autoencoder.BITS, autoencoder.BITS_METHODS, {encoder: "C0"})
    ends = {"variance at the start": "C7", "variance at the end": "C0"}
    _bars(axes[3, 2], results, regression.SETTING, regression.METHODS, ends)
    axes[3, 2].set_title(f"{regression.SETTING}: grey at the start, blue at the end", fontsize=10)
    return figure


def _sweep(
    ax: Any,
    results: Results,
    f: str,
    name: str,
    values: Sequence[float],
    symbol: str,
    *,
    slopes: bool = False,
) -> None:
    """One method a line by quadrature, with its measured means as markers."""
    xs = sorted({*values, USUAL[name]})
    for method in METHODS:
        points = [setting(f, **{name: x}) for x in xs]
        exact = [results.mean(f"exact variance by {symbol}", method, point) for point in points]
        measured = [results.values(f"variance by {symbol}", method, point) for point in points]
        means = [sum(v) / len(v) for v in measured]
        seen = [i for i, v in enumerate(exact) if v > LEAST * 1e-2]
        if not seen:
            continue
        label = f"{method}: {power_law_slope(xs, means)[0]:.2f}" if slopes else method
        ax.plot([xs[i] for i in seen], [exact[i] for i in seen], color=COLOURS[method], lw=1)
        ax.errorbar(
            [xs[i] for i in seen],
            [means[i] for i in seen],
            [spread_of(measured[i], "sd") or 0.0 for i in seen],
            fmt=MARKERS[method],
            ms=5,
            color=COLOURS[method],
            mfc="none",
            label=label,
        )
    ax.set(xscale="log", yscale="log", xlabel=name, ylabel=f"variance by {symbol}")
    ax.set_xticks(xs, [f"{x:g}" for x in xs])
    ax.minorticks_off()
    usual = "" if name == "N" else ", N = 8"
    ax.set_title(f"{f}{'' if name == 'k' else ', k = 1'}{usual}: lines by quadrature", fontsize=10)
    ax.set_ylim(bottom=max(ax.get_ylim()[0], LEAST))


def _bars(ax: Any, results: Results, where: str, methods: Sequence[str], figures: dict[str, str]) -> None:
    height = 0.8 / len(figures)
    for i, (name, colour) in enumerate(figures.items()):
        values = [results.values(name, method, where) for method in methods]
        means = [sum(v) / len(v) for v in values]
        spread = [min(spread_of(v, "sd") or 0.0, 0.9 * mean) for v, mean in zip(values, means, strict=True)]
        at = [j + i * height for j in range(len(methods))]
        ax.barh(at, means, height, xerr=spread, color=colour, label=name)
    biased = autoencoder.BIASED
    ax.set_yticks(
        [j + 0.4 - height / 2 for j in range(len(methods))],
        [f"{m} (biased)" if m in biased else m for m in methods],
        fontsize=8,
    )
    ax.invert_yaxis()
    ax.set(xscale="log", xlabel="variance of the gradient, summed over parameters")
    ax.set_title(where, fontsize=10)
