"""The picture of `few-images`: a row a remedy, by distance and by leak."""

from __future__ import annotations

from typing import Any

from pushforward.experiments.few_images.checks import labels_of, settings_of
from pushforward.experiments.few_images.measure import COPIES, KID, KID_ALIKE, LEAK, REAL
from pushforward.experiments.harness.experiment import Results

MINUTES, IMAGES, FLOOR = "#0b6e99", "#d9730d", "#8c8c8c"


def plot(results: Results) -> Any:
    """KID at equal minutes and at equal images, and the leak; a dot a seed, columns are settings."""
    from matplotlib.figure import Figure as Canvas

    settings = settings_of(results)
    canvas = Canvas(figsize=(4.6 * len(settings) + 1.6, 9.5), layout="constrained")
    axes = canvas.subplots(2, len(settings), squeeze=False, sharex="row")
    for column, at in enumerate(settings):
        labels = labels_of(results, at)
        top, bottom = axes[:, column]
        for y, label in enumerate(labels):
            for shift, figure, colour in ((-0.15, KID, MINUTES), (0.15, KID_ALIKE, IMAGES)):
                values = results.values(figure, label, at)
                name = {KID: "equal minutes", KID_ALIKE: "equal images"}[figure] if y == 0 else None
                top.plot(values, [y + shift] * len(values), "o", ms=5, alpha=0.75, color=colour, label=name)
            leaks = results.values(LEAK, label, at)
            bottom.plot(leaks, [y] * len(leaks), "o", ms=5, alpha=0.75, color=MINUTES)
        copies = results.mean(KID, COPIES, at)
        if copies > 0:
            top.axvline(copies, color=FLOOR, lw=1, ls="--", label="copies of the training images")
        bottom.axvline(results.mean(LEAK, REAL, at), color=FLOOR, lw=1, ls="--", label="real images")
        top.set_title(at, fontsize=10)
        top.set_xscale("log")
        top.set_xlabel("KID, 10⁻³: lower is nearer")
        bottom.set_xlabel("points by which samples look turned more often than real images")
        for axis in (top, bottom):
            axis.set_yticks(range(len(labels)), labels)
            axis.invert_yaxis()
            axis.grid(color="#ededed")
            axis.set_axisbelow(True)
            axis.spines[["top", "right", "left"]].set_visible(False)
            axis.tick_params(axis="y", length=0)
    handles, names = axes[0, 0].get_legend_handles_labels()
    canvas.legend(handles, names, frameon=False, fontsize=8, loc="outside upper center", ncols=3)
    return canvas
