"""What a long command shows: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from pushforward.core import Clock, Finding
from pushforward.errors import as_options
from pushforward.runs.single import Progress as Callbacks
from pushforward.text import printable, printable_lines

LINE_EVERY_S = 10.0


class TrainingDisplay:
    """Shows the progress of one run, in its main process only: a bar in a terminal or notebook, else lines.

    From Python: `with TrainingDisplay() as display: train("vae", data="photos", progress=display.progress)`.
    """

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self.quiet = int(os.environ.get("RANK", "0")) > 0
        self.live = (self.console.is_terminal or self.console.is_jupyter) and not self.quiet
        self.progress = Callbacks(step=self._step, row=self._row, found=self._found, say=self._say)
        self._figures = ""
        self._next_line = 0.0
        self._started: tuple[float, int] | None = None
        self._last = 0
        self._commands: set[str] = set()

    def __enter__(self) -> TrainingDisplay:
        self._bar = Progress(
            TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
            BarColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
            console=self.console,
            disable=not self.live,
            refresh_per_second=4,
        )
        self._task = self._bar.add_task("", total=1, rate="", figures="", start=True)
        self._bar.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._bar.stop()

    def _step(self, clock: Clock) -> None:
        now = time.monotonic()
        if self.quiet or (self._last <= clock.step < clock.steps and now < self._next_line):
            return
        if self._started is None or clock.step < self._last:  # an ensemble's next component begins anew
            self._started = (now, clock.step)
        self._last = clock.step
        seconds, steps = now - self._started[0], clock.step - self._started[1]
        rate = _rate(steps / seconds) if steps and seconds else ""
        self._next_line = now + (0.25 if self.live else LINE_EVERY_S)
        if self.live:
            self._bar.update(
                self._task, completed=clock.step, total=clock.steps, rate=rate, figures=self._figures
            )
        elif steps:
            left = (clock.steps - clock.step) * seconds / steps
            self.console.print(
                f"step {clock.step:,}/{clock.steps:,}  {rate}  {_time(left)} left  {self._figures}".rstrip(),
                highlight=False,
                soft_wrap=True,
            )

    def _row(self, row: Mapping[str, Any]) -> None:
        figures = [f"{k.split('/')[1]} {v:.4g}" for k, v in row.items() if k.startswith("loss/")]
        self._figures = "  ".join(figures) or self._figures

    def _found(self, finding: Finding) -> None:
        """What is wrong in a line; why, the cure and its command, each once, in lines of their own."""
        lines = [f"{finding.severity}: {finding.headline or finding.name} ({finding.name})"]
        lines += [f"  seen  {finding.evidence}", f"  cure  {finding.advice}"]
        if finding.command and finding.command not in self._commands:
            self._commands.add(finding.command)
            lines.append(f"  try   {finding.command}")
        self._say("\n".join(lines))

    def _say(self, line: str) -> None:
        if not self.quiet:
            self.console.print(
                as_options(printable_lines(line)), highlight=False, markup=False, soft_wrap=True
            )


class Counted:
    """Shows how many of a number of things are done: a bar on a terminal, else a line every ten seconds.

    what: one of them, in a word.
    """

    def __init__(self, what: str, total: int, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self._what, self._total, self._done = what, total, 0
        self._next_line = time.monotonic() + LINE_EVERY_S

    def __enter__(self) -> Counted:
        self._bar = Progress(
            TextColumn("{task.completed:,.0f}/{task.total:,.0f} {task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self.console,
            disable=not (self.console.is_terminal or self.console.is_jupyter),
            transient=True,
        )
        self._task = self._bar.add_task(f"{self._what}s", total=self._total)
        self._bar.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._bar.stop()

    def step(self) -> None:
        """One more is done."""
        self._done += 1
        self._bar.update(self._task, completed=self._done)
        if self._bar.disable and self._done < self._total and time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + LINE_EVERY_S
            self.say(f"{self._what} {self._done:,}/{self._total:,}")

    def say(self, line: str) -> None:
        """A line beside the bar."""
        self.console.print(as_options(printable(line)), highlight=False, markup=False, soft_wrap=True)


def _rate(steps_a_second: float) -> str:
    """Steps a second, or seconds a step where these are less than one."""
    if steps_a_second < 1:
        return f"{1 / steps_a_second:,.1f} s/step"
    return f"{steps_a_second:,.{1 if steps_a_second < 10 else 0}f} steps/s"


def _time(seconds: float) -> str:
    """In the two largest units: 45 s, 12 min, 3 h 20 min."""
    if seconds < 90:
        return f"{seconds:,.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60:,} h {minutes % 60} min"
