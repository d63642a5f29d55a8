"""Processes that fail, die and end one by one."""

from __future__ import annotations

import multiprocessing
import time

import pytest

from pushforward.experiments.harness.experiment import Cell
from pushforward.experiments.harness.pool import Failed, Finished, Started, run_cells
from tests.unit.experiments import toy

CELLS = toy.cells("quick", range(2))
SECOND = CELLS[1].label


def run_toy(tmp_path, cells=CELLS, *, workers=1, threads=1):
    def log_of(cell: Cell):
        return tmp_path / "logs" / f"{cell.label}.log"

    return run_cells(toy.MODULE, cells, workers=workers, threads=threads, log_of=log_of)


def ended(events) -> dict[str, Finished | Failed]:
    return {e.cell.label: e for e in events if not isinstance(e, Started)}


def test_every_cell_gives_its_figures_with_its_share_of_threads(tmp_path, capfd):
    events = ended(run_toy(tmp_path, workers=2, threads=3))
    assert {label: event.figures for label, event in events.items()} == {
        cell.label: {"score": 10.0 + cell.seed, "threads": 3.0} for cell in CELLS
    }
    assert toy.MODULE in events[SECOND].modules
    assert capfd.readouterr().out == ""
    assert list((tmp_path / "logs").iterdir()) == []


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("TOY_FAIL", "ValueError: it fell on its edge"),
        ("TOY_NAN", "ValueError: figure 'score' is nan"),
        ("TOY_DIE", "its process died (SIGKILL: out of memory?)"),
    ],
)
def test_a_bad_cell_tells_its_error_in_one_line_and_the_others_finish(tmp_path, monkeypatch, how, says):
    monkeypatch.setenv(how, SECOND)
    events = ended(run_toy(tmp_path))
    failed = [event for event in events.values() if isinstance(event, Failed)]
    assert [event.cell.label for event in failed] == [SECOND]
    log = tmp_path / "logs" / f"{SECOND}.log"
    assert failed[0].error == f"{says} (log: {log})"
    assert len(events) == len(CELLS)
    assert ("Traceback" in log.read_text()) == (how != "TOY_DIE")


def test_an_undeclared_figure_is_an_error(tmp_path, monkeypatch):
    monkeypatch.delitem(toy.EXPERIMENT.figures, "threads")
    from pushforward.experiments.harness.pool import (
        _attempt,
    )

    monkeypatch.setattr("os.dup2", lambda *ends: None)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    answer = _attempt(toy.MODULE, CELLS[0], tmp_path / "log")
    assert isinstance(answer, Failed)
    assert "figure 'threads' is not declared; expected one of score" in answer.error


def test_leaving_early_ends_the_processes(tmp_path, monkeypatch):
    monkeypatch.setenv("TOY_SLOW", CELLS[0].label)
    events = run_toy(tmp_path)
    assert isinstance(next(events), Started)
    (child,) = multiprocessing.active_children()
    start = time.monotonic()
    events.close()
    assert time.monotonic() - start < 30
    assert not child.is_alive()
    assert list((tmp_path / "logs").iterdir()) == []
