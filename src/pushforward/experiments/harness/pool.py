"""Run cells in local processes that may fail or die one by one. Torch-free.

Processes are spawned, not forked: an experiment may use threads and accelerators. A process that dies takes
only its own cell with it. All of them go when the parent goes, however it went.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess, parent_process
from pathlib import Path
from typing import Any

from pushforward.experiments.harness.experiment import Cell
from pushforward.experiments.harness.machine import hardware
from pushforward.experiments.harness.table import load_experiment

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Started:
    """A process took the cell up."""

    cell: Cell


@dataclass(frozen=True)
class Finished:
    """The cell's figures. seconds: wall-clock of its run alone. modules: those of ours that were loaded."""

    cell: Cell
    figures: Mapping[str, float]
    seconds: float
    modules: Sequence[str]
    hardware: str


@dataclass(frozen=True)
class Failed:
    """The cell's error, in one line."""

    cell: Cell
    error: str


Event = Started | Finished | Failed


def run_cells(
    module: str,
    cells: Sequence[Cell],
    *,
    workers: int,
    threads: int,
    log_of: Callable[[Cell], Path],
) -> Iterator[Event]:
    """Run every cell of the experiment in `module`, `workers` at a time with `threads` threads each.

    log_of: the file that takes what a cell prints, kept only where it failed. Closing the iterator ends the
    processes.
    """
    waiting = deque(cells)
    crew: list[_Worker] = []
    try:
        while waiting or any(worker.cell for worker in crew):
            while waiting and len(crew) < workers:
                crew.append(_Worker(module, threads))
            for worker in crew:
                if worker.cell is None and waiting:
                    cell = waiting.popleft()
                    worker.give(cell, log_of(cell))
                    yield Started(cell)
            busy = {worker.pipe: worker for worker in crew if worker.cell}
            for pipe in wait(list(busy)):
                worker = busy[pipe]  # type: ignore[index]
                yield worker.take()
                if not worker.alive:
                    crew.remove(worker)
    finally:
        for worker in crew:
            worker.end()


class _Worker:
    """One spawned process, and the cell that it is at."""

    def __init__(self, module: str, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(
            target=_work, args=(theirs, module, threads), daemon=False, name="pushforward-cell"
        )
        self.process.start()
        theirs.close()  # so that the process's death ends the pipe
        self.cell: Cell | None = None
        self.log = Path(os.devnull)
        self.alive = True

    def give(self, cell: Cell, log: Path) -> None:
        """Send it a cell. What it prints goes to `log`."""
        log.parent.mkdir(parents=True, exist_ok=True)
        self.cell, self.log = cell, log
        with contextlib.suppress(OSError):  # it died before: `take` will find the pipe closed
            self.pipe.send((cell, str(log)))

    def take(self) -> Event:
        """What it has to say about its cell, or that it died."""
        cell, self.cell = self.cell, None
        assert cell is not None
        try:
            answer: Finished | Failed = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            self.alive = False
            answer = Failed(cell, f"its process died ({_cause(self.process.exitcode)})")
        if isinstance(answer, Finished):
            self.log.unlink(missing_ok=True)
            return answer
        return Failed(cell, f"{answer.error} (log: {self.log})")

    def end(self) -> None:
        """Stop it, whatever it is doing."""
        if self.cell is None:
            self.pipe.close()  # an idle process goes by itself
            self.process.join(5)
        self.process.kill()
        self.process.join()
        if self.cell is not None:
            self.pipe.close()
            self.log.unlink(missing_ok=True)


def _cause(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        return f"{name}: out of memory?" if name == "SIGKILL" else name
    return f"exit status {code}"


def _work(pipe: Connection, module: str, threads: int) -> None:
    """What a process does: cells, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    for name in _THREADS:  # read when the libraries are loaded, which has not happened yet
        os.environ[name] = str(threads)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    while True:
        try:
            cell, log = pipe.recv()
        except EOFError:
            return
        pipe.send(_attempt(module, cell, Path(log)))


def _die_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _attempt(module: str, cell: Cell, log: Path) -> Finished | Failed:
    with log.open("w") as file:  # also what compiled code prints
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        experiment = load_experiment(module)
        _seed(cell.seed)
        start = time.perf_counter()
        figures = _checked(experiment.run(cell), known=experiment.figures)
        seconds = time.perf_counter() - start
    except Exception as error:
        traceback.print_exc()
        return Failed(cell, f"{type(error).__name__}: {' '.join(str(error).split())}")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    modules = [name for name in sys.modules if name == module or name.split(".")[0] == "pushforward"]
    return Finished(cell, figures, seconds, modules, hardware())


def _seed(seed: int) -> None:
    # The global streams too, so that a cell's figures do not depend on what its process did before.
    if "torch" in sys.modules:
        from pushforward.randomness import seed_everything

        seed_everything(seed)


def _checked(figures: Mapping[str, Any], *, known: Mapping[str, Any]) -> dict[str, float]:
    for name, value in figures.items():
        if name not in known:
            raise ValueError(f"figure '{name}' is not declared; expected one of {', '.join(known)}")
        if not math.isfinite(value):
            raise ValueError(f"figure '{name}' is {value}")
    return {name: float(value) for name, value in figures.items()}
