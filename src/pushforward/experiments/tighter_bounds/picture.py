"""Signal to noise over the number of samples, and the likelihoods after equal minutes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pushforward.experiments.harness.experiment import Results
from pushforward.experiments.harness.summary import spread_of
from pushforward.experiments.tighter_bounds import (
    DECODER,
    DIGITS,
    ENCODER,
    KS,
    LINEAR_KS,
    METHODS,
    NLL,
    SAMPLED,
    linear,
    young,
)
from pushforward.experiments.tighter_bounds.checks import LEAST

COLOURS = dict(zip(METHODS, ("C7", "C3", "C1", "C0", "C2"), strict=True))
MARKERS = dict(zip(METHODS, "vsoD^", strict=True))


def draw(results: Results) -> Any:
    """The linear model's encoder and decoder, the digits' encoder, and test NLL; a dot a seed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 8), layout="constrained")
    axes = figure.subplots(2, 2)
    _lines(axes[0, 0], results, ENCODER, linear, LINEAR_KS)
    _lines(axes[0, 1], results, DECODER, linear, LINEAR_KS)
    _lines(axes[1, 0], results, ENCODER, young, KS)
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=len(SAMPLED), frameon=False)
    last = axes[1, 1]
    for y, label in enumerate(METHODS):
        values = results.values(NLL, label, DIGITS)
        last.plot(values, [y] * len(values), MARKERS[label], color=COLOURS[label], alpha=0.75)
    last.set_yticks(range(len(METHODS)), list(METHODS))
    last.invert_yaxis()
    last.set(xlabel="test NLL, nats an image; lower is better", title=DIGITS)
    last.grid(axis="x", color="#e6e6e6")
    return figure


def _lines(ax: Any, results: Results, figure: str, where: Callable[[int], str], ks: Sequence[int]) -> None:
    for label in SAMPLED:
        found = [results.values(figure, label, where(k)) for k in ks]
        means = [max(LEAST, sum(v) / len(v)) for v in found]
        spread = [min(spread_of(v, "sd") or 0.0, 0.9 * m) for v, m in zip(found, means, strict=True)]
        ax.errorbar(ks, means, spread, marker=MARKERS[label], color=COLOURS[label], mfc="none", label=label)
    title = "linear-Gaussian" if where is linear else "binarized digits"
    ax.set(xscale="log", yscale="log", xlabel="k", ylabel=figure, title=title)
    ax.set_xticks(ks, [str(k) for k in ks])
    ax.minorticks_off()
