"""One image under each transform, what each leaves of JS, and where each loss leads the generator."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch

from pushforward.experiments.dag_theory import (
    ALIKE,
    CLASSICAL,
    DAG,
    INVERTIBLE,
    LARGE,
    LOSSY,
    SMALL,
    WEIGHED,
    finite,
    losses,
    named,
    of_kind,
    size,
)
from pushforward.experiments.harness.experiment import Results
from pushforward.views.transforms import transforms_of

DATA, KEEPS, LOSES, MOVED = "#1f77b4", "#2ca02c", "#d62728", "#ff7f0e"
LETTER = "110 100 100"  # an image whose turns and mirrors differ
EXAMPLE = 3  # the seed of the distribution that is drawn
SHARPNESS = 2.5  # of it: some images are much more likely than their turns
PLAIN = 0.1  # how much less likely images of one colour are, which look the same from each side


def draw(results: Results) -> Any:
    """Top: images. Middle: JS kept by each transform, and by one head. Below: p and where losses lead."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 11), layout="constrained")
    rows: Any = figure.subfigures(3, 1, height_ratios=[1.5, 4, 4.2])
    transforms = named(LARGE)
    _images(rows[0], transforms)
    left, right = rows[1].subplots(1, 2, width_ratios=[1.15, 1])
    _kept_by_transform(left, results)
    _kept_by_one_head(right, results)
    _optima(rows[2])
    return figure


def _images(figure: Any, transforms: Any) -> None:
    x = torch.tensor([[float(c) * 2 - 1 for c in row] for row in LETTER.split()])[None, None]
    figure.suptitle(f"an image of {size(LARGE)} pixels, and what heads of its transforms see", fontsize=12)
    shown = {"identity": finite.IDENTITY, **transforms}
    for ax, (name, t) in zip(figure.subplots(1, len(shown)), shown.items(), strict=True):
        ax.imshow(t(x)[0, 0], cmap="gray", vmin=-1, vmax=1)
        ax.set_title(name.replace(" ", "\n", 1), fontsize=8, color=KEEPS if t.invertible else LOSES)
        ax.set(xticks=[], yticks=[])
        for spine in ax.spines.values():
            spine.set_edgecolor(KEEPS if t.invertible else LOSES)


def _bars(ax: Any, names: list[str], groups: dict[str, tuple[list[float], Any]]) -> None:
    height = 0.8 / len(groups)
    for i, (label, (values, colours)) in enumerate(groups.items()):
        at = [j + (i - (len(groups) - 1) / 2) * height for j in range(len(names))]
        ax.barh(at, values, height * 0.92, color=colours, label=label)
        for y, v in zip(at, values, strict=True):
            ax.text(v + 0.01, y, f"{v:.2f}", va="center", fontsize=9)
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.axvline(1, color="black", lw=1, ls="--")
    ax.set(xlim=(0, 1.15), xlabel="share of JS(data, G) that is still seen")
    ax.spines[["top", "right"]].set_visible(False)


def _kept_by_transform(ax: Any, results: Results) -> None:
    transforms = named(LARGE)
    kept = [results.mean("kept", name, size(LARGE)) for name in transforms]
    colours = [KEEPS if t.invertible else LOSES for t in transforms.values()]
    _bars(ax, [*transforms], {"": (kept, colours)})
    ax.set_title("a head for each: an invertible T (green) loses nothing")


def _kept_by_one_head(ax: Any, results: Results) -> None:
    kinds = [*INVERTIBLE, *LOSSY]
    groups = {
        f"{label}": ([results.mean("kept", m, of_kind(k, LARGE)) for k in kinds], colour)
        for label, m, colour in (
            ("image: 1, transforms: λ = 0.2", WEIGHED, MOVED),
            ("all alike", ALIKE, LOSES),
        )
    }
    _bars(ax, kinds, groups)
    ax.set_ylim(top=ax.get_ylim()[1], bottom=len(kinds) + 0.3)
    ax.legend(loc="lower right", framealpha=1, edgecolor="none")
    ax.set_title("one head for all sees their mixture, and less")


def _optima(figure: Any) -> None:
    """Probabilities of the 16 images of 2×2 pixels, turns of each other side by side."""
    x = finite.every_image(SMALL)
    p = finite.positive(len(x), EXAMPLE)[0] ** SHARPNESS
    p[[0, -1]] *= PLAIN
    p = p / p.sum()
    game = finite.Game(transforms_of(["rotation"], (1, SMALL, SMALL)), x)
    orbit = [tuple(sorted({int(i) for i in game.index[:, j]})) for j in range(len(x))]
    order = sorted(range(len(x)), key=lambda j: (int((x[j] > 0).sum()), orbit[j]))
    main, pictures = figure.subplots(2, 1, height_ratios=[5, 1], sharex=True)
    width = 0.2
    series = [("data p", p, DATA)]
    for label, method, colour in (
        ("DAG", DAG, KEEPS),
        ("augmented data", CLASSICAL, MOVED),
        ("one head, all alike (one of many ends)", ALIKE, LOSES),
    ):
        series.append((label, finite.optimum(losses(method, game, p), len(x), EXAMPLE), colour))
    for i, (label, q, colour) in enumerate(series):
        apart = "" if i == 0 else f": TV {finite.tv(p, q):.2f} from the data"
        at = [j + (i - 1.5) * width for j in range(len(x))]
        main.bar(at, [float(q[j]) for j in order], width, color=colour, label=label + apart)
    for j, (a, b) in enumerate(pairwise(order)):
        if orbit[a] != orbit[b]:
            main.axvline(j + 0.5, color="0.8", lw=0.8)
    main.set_ylim(top=1.3 * max(float(q.max()) for _, q, _ in series))
    main.set(
        ylabel="probability", title="where the generator ends, for rotations: all 16 images of 2×2 pixels"
    )
    main.legend(framealpha=1, edgecolor="none")
    main.spines[["top", "right"]].set_visible(False)
    for j, state in enumerate(order):
        pictures.imshow(x[state, 0], cmap="gray", vmin=-1, vmax=1, extent=(j - 0.3, j + 0.3, -0.3, 0.3))
        pictures.plot(
            [j - 0.3, j + 0.3, j + 0.3, j - 0.3, j - 0.3], [-0.3, -0.3, 0.3, 0.3, -0.3], "0.5", lw=1
        )
    pictures.set(xlim=(-0.7, len(x) - 0.3), ylim=(-0.4, 0.4), yticks=[], xticks=[], aspect="equal")
    pictures.axis("off")
