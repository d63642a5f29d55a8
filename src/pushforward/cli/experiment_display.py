"""What an experiment shows: a live table on a terminal, plain lines elsewhere, then its result."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pushforward.experiments.harness.cache import Record
from pushforward.experiments.harness.execute import Execution, Watch
from pushforward.experiments.harness.experiment import Cell
from pushforward.experiments.harness.markdown import measured, number, verdict, with_spread
from pushforward.experiments.harness.pool import Event, Failed, Finished, Started

WIDE = 200  # columns of a table that no terminal shows


@dataclass
class _Line:
    """The cells of one method in one setting."""

    total: int = 0
    done: int = 0
    failed: int = 0
    seconds: float = 0.0
    running: list[int] = field(default_factory=list)


class ExperimentDisplay:
    """Follows one experiment on standard error."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self.watch = Watch(plan=self._plan, event=self._event)
        self._lines: dict[tuple[str, str], _Line] = {}
        self._ended = 0
        self._fresh_ended = 0
        self._live: Live | None = None
        self._started = time.monotonic()

    def __enter__(self) -> ExperimentDisplay:
        if self.console.is_terminal:
            self._live = Live(
                get_renderable=self._table,
                console=self.console,
                refresh_per_second=4,
                vertical_overflow="ellipsis",
                transient=True,
            )
            self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._live is not None:
            self._live.stop()

    def _plan(self, cells: Sequence[Cell], cached: Mapping[Cell, Record]) -> None:
        for cell in cells:
            line = self._lines.setdefault((cell.method, cell.setting), _Line())
            line.total += 1
            if cell in cached:
                line.done += 1
                line.seconds += cached[cell].seconds
        self._ended, self._started = len(cached), time.monotonic()
        if cached:
            self._say(f"{len(cached)} of {len(cells)} cells had finished before (--fresh runs them again)")

    def _event(self, event: Event) -> None:
        line = self._lines[event.cell.method, event.cell.setting]
        if isinstance(event, Started):
            line.running.append(event.cell.seed)
            return
        line.running.remove(event.cell.seed)
        self._ended += 1
        self._fresh_ended += 1
        count = f"[{self._ended}/{self._total}]"
        if isinstance(event, Failed):
            line.failed += 1
            self._say(f"{count} {event.cell.label}: {event.error}")
        elif isinstance(event, Finished):
            line.done += 1
            line.seconds += event.seconds
            if self._live is None:
                self._say(f"{count} {event.cell.label}: {event.seconds:.1f} s{self._left()}")

    @property
    def _total(self) -> int:
        return sum(line.total for line in self._lines.values())

    def _left(self) -> str:
        left = self._total - self._ended
        if not left or not self._fresh_ended:
            return ""
        return f", {left * (time.monotonic() - self._started) / self._fresh_ended:,.0f} s left"

    def _table(self) -> Table:
        table = Table("method", "setting", "finished", "running", box=None, header_style="dim")
        table.add_column("seconds", justify="right")
        for (method, setting), line in self._lines.items():
            done = f"{line.done}/{line.total}" + (f", {line.failed} failed" if line.failed else "")
            running = f"seed {', '.join(map(str, line.running))}" if line.running else ""
            seconds = f"{line.seconds:.1f}" if line.done else ""
            table.add_row(*map(Text, (method, setting, done, running, seconds)))
        elapsed = time.monotonic() - self._started
        counts = f"{self._ended}/{self._total} cells, {elapsed:,.0f} s{self._left()}"
        table.caption = Text(counts if self._lines else "starting")
        table.caption_justify = "left"
        return table

    def _say(self, line: str) -> None:
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)


def show(outcome: Execution, console: Console | None = None) -> None:
    """Print the rows and the checks to standard output."""
    out = console or Console()
    if not out.is_terminal:
        out = Console(file=out.file, width=WIDE)
    title = f"{outcome.experiment.title} ({outcome.budget}, {outcome.seconds:,.1f} s of compute)"
    out.print(title, highlight=False, markup=False, soft_wrap=True)
    out.print(_rows(outcome))
    out.print(_checks(outcome))


def _rows(outcome: Execution) -> Table:
    papers = any(row.paper is not None for row in outcome.rows)
    table = Table("method", "setting", "figure", "value", "unit", box=None, header_style="dim")
    if papers:
        table.add_column("paper")
        table.add_column("from")
    for row in outcome.rows:
        published = [number(row.paper), row.source or ""] if papers else []
        cells = [row.method, row.setting, row.figure, with_spread(asdict(row)), row.unit, *published]
        table.add_row(*map(Text, cells))
    return table


def _checks(outcome: Execution) -> Table:
    table = Table("check", "claim", "value", box=None, header_style="dim")
    colours = {"holds": "green", "FAILS": "red", "missed": "yellow"}
    for check in outcome.checks:
        word = verdict(asdict(check))
        table.add_row(Text(word, colours[word]), Text(check.claim), Text(measured(asdict(check))))
    return table
