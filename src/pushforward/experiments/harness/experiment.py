"""What an experiment is: frozen runs, figures, the paper's figures beside them, and claims. Torch-free.

An experiment is one module that defines `EXPERIMENT = Experiment(...)`. Its runs are *cells* (method ×
setting × seed); each cell gives named *figures*; figures are summed up over seeds to *rows*; *claims* are
numbers of the rows that have to lie on one side of a bound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Literal

Budget = Literal["quick", "full"]
SpreadKind = Literal["sd", "standard error"]
Sense = Literal["<=", ">="]
FigureKey = tuple[str, str, str]  # method, setting, figure


class Incomplete(Exception):
    """A claim asked for a cell that failed or was never asked for."""


@dataclass(frozen=True)
class Cell:
    """One run. method, setting and seed name it; options (JSON-able) are whatever else its run depends on.

    A cell is rerun when any of them changes, so everything that a budget changes belongs into options.
    """

    method: str
    setting: str = ""
    seed: int = 0
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def label(self) -> str:
        """For people: `method · setting · seed 0`."""
        return " · ".join(part for part in (self.method, self.setting, f"seed {self.seed}") if part)


@dataclass(frozen=True)
class Figure:
    """What a number is. unit: "" for a pure number. spread: which one is shown over seeds."""

    unit: str = ""
    spread: SpreadKind = "sd"


@dataclass(frozen=True)
class Published:
    """A number that a paper reports. source: where in it, such as "Table 3"."""

    value: float
    source: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure of one method in one setting. spread: over n seeds; None for fewer than two."""

    method: str
    setting: str
    figure: str
    value: float
    unit: str = ""
    spread: float | None = None
    spread_kind: SpreadKind = "sd"
    n: int
    paper: float | None = None
    source: str | None = None


@dataclass(frozen=True)
class Claim:
    """A sentence with a number in it: it holds when `value(results) sense bound`, and never for NaN.

    required: whether the command fails without it; False for a published figure that need not be met.
    """

    claim: str
    value: Callable[[Results], float]
    sense: Sense
    bound: float
    required: bool = True


@dataclass(frozen=True, kw_only=True)
class Check:
    """A claim that was looked at. value: None where its cells failed."""

    claim: str
    holds: bool
    value: float | None
    sense: Sense
    bound: float
    required: bool


class Results:
    """The figures of the cells that finished. Asking for one that did not raises Incomplete."""

    def __init__(
        self, figures: Mapping[Cell, Mapping[str, float]], failed: AbstractSet[Cell] = frozenset()
    ) -> None:
        self.figures = figures
        self.failed = failed

    def values(self, figure: str, method: str, setting: str = "") -> list[float]:
        """The figure of each seed, in the order of the cells; none where this method has no such figure."""
        return [
            figures[figure] for figures in self._found(figure, method, setting).values() if figure in figures
        ]

    def mean(self, figure: str, method: str, setting: str = "") -> float:
        """The mean over seeds."""
        values = [self.figures[cell][figure] for cell in self._cells(figure, method, setting)]
        return sum(values) / len(values)

    def all(self, figure: str, method: str | None = None) -> list[float]:
        """The figure of every cell (of a method) that has it: what `max` and `min` are taken of."""
        cells = self._cells(figure, method, None)
        return [self.figures[cell][figure] for cell in cells]

    def _cells(self, figure: str, method: str | None, setting: str | None) -> list[Cell]:
        """Those that have the figure. Raises Incomplete where none has."""
        cells = [c for c, figures in self._found(figure, method, setting).items() if figure in figures]
        if not cells:
            raise Incomplete(f"{_wanted(figure, method, setting)}: no cell has it")
        return cells

    def _found(self, figure: str, method: str | None, setting: str | None) -> dict[Cell, Mapping[str, float]]:
        """All cells of a method in a setting. Raises Incomplete where one failed, or there are none."""

        def asked(cell: Cell) -> bool:
            return method in (None, cell.method) and setting in (None, cell.setting)

        for cell in self.failed:
            if asked(cell):
                raise Incomplete(f"{_wanted(figure, method, setting)}: {cell.label} failed")
        found = {cell: figures for cell, figures in self.figures.items() if asked(cell)}
        if not found:
            raise Incomplete(f"{_wanted(figure, method, setting)}: no cell has it")
        return found


def _wanted(figure: str, method: str | None, setting: str | None) -> str:
    return f"'{figure}' of {method or 'any method'}{f' · {setting}' if setting else ''}"


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One file's worth of evidence.

    title: one line. about: the claim in prose (Markdown), with what would refute it. source: the paper.
    cells: the frozen runs of a budget, for seeds 0, 1, ... run: one cell to its figures, in a process of its
    own, seeded with the cell's seed. cells_on: the same on images of the user's choosing, named as for `train
    --data`; None where the data are part of the claim. figures: every figure that a run may return, in the
    order to show. claims: what to check in a budget. published: the paper's numbers. seeds: how many by
    default. rows: replaces the means over seeds where a table needs more. plot: a matplotlib figure.
    """

    name: str
    title: str
    about: str
    source: str
    cells: Callable[[Budget, Sequence[int]], Sequence[Cell]]
    run: Callable[[Cell], Mapping[str, float]]
    figures: Mapping[str, Figure]
    claims: Callable[[Budget], Sequence[Claim]]
    cells_on: Callable[[Budget, Sequence[int], str], Sequence[Cell]] | None = None
    published: Mapping[FigureKey, Published] = field(default_factory=dict)
    seeds: Mapping[Budget, int] = field(default_factory=lambda: {"quick": 3, "full": 5})
    rows: Callable[[Results], Sequence[Row]] | None = None
    plot: Callable[[Results], Any] | None = None
