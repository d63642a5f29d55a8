"""Small figures, drawn by matplotlib as SVG that stands inside a page and takes its colours and fonts."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

# Each colour is drawn as a value that stands for a variable of the page, so a dark page recolours it.
INK, SOFT, RULE, PAPER = "#0a0b0c", "#5d5d5e", "#dddddc", "#fdfcfb"
FIRST, SECOND = "#1c5d7e", "#c2571b"
VARIABLES = {
    INK: "var(--ink)",
    SOFT: "var(--soft)",
    RULE: "var(--rule)",
    PAPER: "var(--paper)",
    FIRST: "var(--first)",
    SECOND: "var(--second)",
}
# Ten hues that can be told apart on white and on black (Paul Tol's muted scheme, two of them lightened).
CLASSES = (
    "#4477aa",
    "#ee7733",
    "#228833",
    "#cc3377",
    "#66bbdd",
    "#bb9922",
    "#9955bb",
    "#887766",
    "#cc4433",
    "#44aa99",
)
OTHER = "#999999"
LINES = (FIRST, SECOND, *CLASSES[2:])  # the first two are the page's, the others stand for themselves
WIDTH, HEIGHT, SQUARE = 3.7, 2.05, 3.4  # inches; shown at about 96 pixels an inch
FONT = 8.0  # points

APART = 0.1  # of the height of a panel: what two names beside it need
HALOS = 300  # faint discs that show where a crowd is, behind the points of it

Line = tuple[Sequence[float], Sequence[float]]


def lines(
    series: Sequence[Line],
    *,
    label: str,
    limits: tuple[float, float] | None,
    log: bool = False,
    names: Sequence[str] = (),
    mark: int | None = None,
) -> str:
    """Up to ten lines over training steps. label: what a screen reader says. limits: of the y axis.

    log: whether that is logarithmic. names: written at the lines' ends, since ten colours are too many to
    look up. mark: the step of the best weights.
    """
    with _axes() as (figure, axes):
        for (x, y), colour in zip(series, LINES, strict=False):
            marker = "o" if len(x) < 3 else ""
            axes.plot(x, y, color=colour, linewidth=1.4, marker=marker, markersize=3)
        if log:
            axes.set_yscale("log")
            axes.minorticks_off()
        if limits:
            axes.set_ylim(*limits)
        last = max((x[-1] for x, _ in series if len(x)), default=1)
        axes.set_xlim(0, max(1, last))
        axes.set_xlabel("step")
        if mark is not None:
            axes.axvline(mark, color=SOFT, linewidth=0.8, linestyle=(0, (2, 2)))
            early = mark < last / 2
            axes.text(
                mark,
                1,
                " best ",
                transform=axes.get_xaxis_transform(),
                color=SOFT,
                va="top",
                ha="left" if early else "right",
            )
        _name_ends(axes, series, names)
        return _inline(figure, label)


def _name_ends(axes: Any, series: Sequence[Line], names: Sequence[str]) -> None:
    """Each line's name beside its end, in its colour, moved apart where they would overlap."""
    ends = [axes.transData.transform((0, y[-1]))[1] for _, y in series]
    low, high = axes.transAxes.transform([(0, 0), (0, 1)])[:, 1]
    places = [(end - low) / (high - low) for end in ends]
    floor = -1.0
    for i in sorted(range(len(names)), key=lambda i: places[i]):
        floor = max(places[i], floor + APART)
        axes.text(
            1.01, floor, names[i], transform=axes.transAxes, color=LINES[i], va="center", fontsize=FONT - 1
        )


def bars(values: Sequence[float], strong: Sequence[bool], *, ylabel: str, label: str) -> str:
    """One bar a value from the left; weak ones are grey."""
    with _axes(height=SQUARE) as (figure, axes):
        colours = [FIRST if s else SOFT for s in strong]
        axes.bar(range(len(values)), values, color=colours, width=0.8 if len(values) < 60 else 1.0)
        axes.set_xlim(-0.6, len(values) - 0.4)
        axes.set_xlabel("latent dimension, sorted")
        axes.set_ylabel(ylabel)
        axes.set_xticks([])
        return _inline(figure, label)


def histogram(counts: Sequence[float], due: Sequence[float], *, names: Sequence[str], label: str) -> str:
    """What was counted in front of what was due. names: of the bars; none where there are too many to
    read."""
    with _axes() as (figure, axes):
        places = range(len(counts))
        axes.bar(places, due, color=RULE, width=0.86)
        axes.bar(places, counts, color=FIRST, width=0.56)
        axes.set_xlim(-0.6, len(counts) - 0.4)
        axes.set_xticks(list(places) if names else [], list(names) if names else [])
        axes.set_ylabel("samples")
        return _inline(figure, label)


def scatter(
    points: Sequence[tuple[float, float]],
    colours: Sequence[str],
    *,
    xlabel: str,
    ylabel: str,
    label: str,
    names: Mapping[str, tuple[float, float]] | None = None,
) -> str:
    """Points in the plane, both axes on one scale. names: words to write, and where."""
    with _axes(height=SQUARE) as (figure, axes):
        x, y = [p[0] for p in points], [p[1] for p in points]
        axes.scatter(x, y, c=colours, s=7 if len(points) > 300 else 14, alpha=0.75, linewidths=0)
        for name, place in (names or {}).items():
            box = {"boxstyle": "round,pad=0.15", "facecolor": PAPER, "alpha": 0.75, "linewidth": 0}
            axes.text(*place, name, ha="center", va="center", color=INK, weight="bold", bbox=box)
        axes.set_aspect("equal", adjustable="datalim")
        axes.set_xlabel(xlabel)
        axes.set_ylabel(ylabel)
        return _inline(figure, label)


def cloud(
    points: Sequence[Sequence[float]],
    behind: Sequence[Sequence[float]],
    limits: tuple[float, float, float, float],
    *,
    names: tuple[str, str],
    square: bool,
    label: str,
) -> str:
    """Points in front of others, between these limits: left, right, bottom, top."""
    with _axes(height=SQUARE) as (figure, axes):
        for xy, colour, size, alpha in (
            (behind[:HALOS], SECOND, 30, 0.12),
            (behind, SECOND, 2, 0.4),
            (points, FIRST, 4, 0.7),
        ):
            x, y = [p[0] for p in xy], [p[1] for p in xy]
            axes.scatter(x, y, c=colour, s=size, alpha=alpha, linewidths=0)
        axes.set(xlim=limits[:2], ylim=limits[2:], aspect="equal" if square else "auto")
        axes.set_xlabel(names[0])
        axes.set_ylabel(names[1])
        return _inline(figure, label)


@contextmanager
def _axes(height: float = HEIGHT) -> Iterator[tuple[Any, Any]]:
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    style: Any = {  # matplotlib types its keys one by one
        "svg.fonttype": "none",
        "font.size": FONT,
        "axes.edgecolor": SOFT,
        "axes.linewidth": 0.6,
        "axes.labelcolor": SOFT,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "axes.axisbelow": True,
        "axes.unicode_minus": True,
        "axes.formatter.useoffset": False,
        "grid.color": RULE,
        "grid.linewidth": 0.6,
        "xtick.color": SOFT,
        "ytick.color": SOFT,
        "xtick.major.size": 2.5,
        "ytick.major.size": 0,
        "path.simplify": True,
        "path.simplify_threshold": 0.3,
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots()
        axes.locator_params(axis="both", nbins=5)
        axes.patch.set_visible(False)
        figure.patch.set_visible(False)
        yield figure, axes


def _inline(figure: Any, label: str) -> str:
    import matplotlib as mpl

    out = io.StringIO()
    # Element ids come from this salt: equal figures have equal ids, others do not clash in one page.
    with mpl.rc_context({"svg.hashsalt": label}):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return inline(out.getvalue(), label)


def inline(svg: str, label: str) -> str:
    """A matplotlib SVG file as an element of a page: no prologue, names spaces, metadata or own fonts."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(
        r"<defs>\s*<style.*?</style>\s*</defs>\s*", "", svg, flags=re.DOTALL
    )  # it would hold for all
    svg = svg.replace("xlink:href=", "href=")
    svg = re.sub(r'font: ([0-9.]+px) [^;"]*', r"font-size: \1", svg)
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)
    box = re.search(r'viewBox="([^"]*)"', svg)
    assert box is not None
    head = f'<svg viewBox="{box[1]}" role="img" aria-label="{label}">'
    svg = head + svg[svg.index(">") + 1 :]
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, variable)
    return _unique(svg, label).strip()


def _unique(svg: str, label: str) -> str:
    """Prefix ids, which matplotlib numbers alike in every figure (figure_1, axes_1)."""
    import hashlib

    mark = hashlib.sha256((label + svg).encode()).hexdigest()[:6]
    svg = re.sub(r'\bid="', f'id="{mark}-', svg)
    return re.sub(r'(href="|url\()#', rf"\1#{mark}-", svg)
