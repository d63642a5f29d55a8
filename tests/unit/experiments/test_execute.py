"""An experiment from cells to checks, and that no finished cell is run twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pushforward.errors import UserError
from pushforward.experiments.harness import machine
from pushforward.experiments.harness.execute import execute
from pushforward.experiments.harness.experiment import Cell, Row
from tests.unit.experiments import toy
from tests.unit.experiments.processes import wait_until_gone

ROOT = Path(__file__).parents[3]


def labels(*sides: str, seeds: int = 2) -> list[str]:
    return [Cell("coin", side, seed).label for side in sides for seed in range(seeds)]


def test_rows_and_checks_of_the_cells(ran):
    outcome = execute(toy.MODULE, seeds=2, workers=1)
    assert ran() == labels("heads", "tails")
    scores = {row.setting: row for row in outcome.rows if row.figure == "score"}
    assert (scores["heads"].value, scores["heads"].n) == (10.5, 2)
    assert scores["heads"].spread == pytest.approx(0.5**0.5)
    assert scores["tails"].paper == 99.0
    assert [check.holds for check in outcome.checks] == [True, False]


def test_one_seed_has_no_spread():
    rows = execute(toy.MODULE, seeds=1, workers=1).rows
    assert [(row.spread, row.n) for row in rows] == [(None, 1)] * 4


def test_a_finished_cell_is_not_run_again(ran):
    first = execute(toy.MODULE, seeds=1, workers=1)
    again = execute(toy.MODULE, seeds=2, workers=1)
    assert sorted(ran()) == sorted(labels("heads", "tails"))  # the second run added only seed 1
    assert again.seconds >= first.seconds > 0  # what was spent before is counted
    assert list(again.records) == toy.cells("quick", range(2))


def test_fresh_and_another_budget_run_again(ran):
    execute(toy.MODULE, seeds=1, workers=1)
    execute(toy.MODULE, seeds=1, workers=1, fresh=True)
    full = execute(toy.MODULE, seeds=1, workers=1, budget="full")
    assert ran() == labels("heads", "tails", seeds=1) * 3
    assert {row.value for row in full.rows if row.figure == "score"} == {20.0}


def test_other_versions_run_again(ran, monkeypatch):
    execute(toy.MODULE, seeds=1, workers=1)
    monkeypatch.setattr("pushforward.experiments.harness.execute.versions", lambda: {"torch": "another"})
    execute(toy.MODULE, seeds=1, workers=1)
    assert ran() == labels("heads", "tails", seeds=1) * 2


def test_a_failed_cell_is_named_and_run_again_next_time(ran, monkeypatch):
    bad = Cell("coin", "heads", 0).label
    monkeypatch.setenv("TOY_FAIL", bad)
    outcome = execute(toy.MODULE, seeds=2, workers=1)
    assert [cell.label for cell in outcome.failures] == [bad]
    assert {row.setting: row.n for row in outcome.rows} == {"heads": 1, "tails": 2}
    assert [(check.holds, check.value) for check in outcome.checks] == [(False, None), (False, 10.5)]
    monkeypatch.delenv("TOY_FAIL")
    assert not execute(toy.MODULE, seeds=2, workers=1).failures
    assert ran() == [*labels("heads", "tails"), bad]


def test_a_killed_run_picks_up_its_finished_cells(ran, monkeypatch):
    last = labels("heads", "tails")[-1]
    harness = "pushforward.experiments.harness.execute"
    code = f"from {harness} import execute; execute({toy.MODULE!r}, seeds=2, workers=1)"
    env = {**os.environ, "TOY_SLOW": last, "PYTHONPATH": str(ROOT)}
    killed = subprocess.Popen([sys.executable, "-c", code], env=env, start_new_session=True)
    deadline = time.monotonic() + 60
    while last not in ran() and time.monotonic() < deadline:
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert ran() == labels("heads", "tails")
    wait_until_gone(killed.pid)
    outcome = execute(toy.MODULE, seeds=2, workers=1)
    assert ran() == [*labels("heads", "tails"), last]  # only the cell that was under way
    assert not outcome.failures


@pytest.mark.parametrize(
    ("given", "named"), [({"seeds": 0}, "--seeds: 0"), ({"workers": -1}, "--workers: -1")]
)
def test_numbers_that_cannot_be_are_refused(given, named):
    with pytest.raises(UserError, match=f"{named}; expected at least 1"):
        execute(toy.MODULE, **given)


def test_a_table_of_its_own_making_gets_every_cell_or_is_not_made(monkeypatch):
    def difference(results):
        value = results.mean("score", "coin", "tails") - results.mean("score", "coin", "heads")
        return [Row(method="coin", setting="tails - heads", figure="score", value=value, n=2)]

    monkeypatch.setattr(toy, "EXPERIMENT", replace(toy.EXPERIMENT, rows=difference))
    (row,) = execute(toy.MODULE, seeds=2, workers=1).rows
    assert (row.setting, row.value, row.spread) == ("tails - heads", 0.0, None)
    monkeypatch.setenv("TOY_FAIL", Cell("coin", "tails", 1).label)
    assert execute(toy.MODULE, seeds=2, workers=1, fresh=True).rows == []


def test_two_cells_of_one_name_are_a_mistake_of_the_experiment(monkeypatch):
    cells = [Cell("a", options={"x": 1}), Cell("a", options={"x": 2})]
    monkeypatch.setattr(toy, "EXPERIMENT", replace(toy.EXPERIMENT, cells=lambda budget, seeds: cells))
    with pytest.raises(ValueError, match="cells of one name"):
        execute(toy.MODULE)


def test_the_machine_is_described():
    assert f"{machine.cores()} cores" in machine.hardware()
    assert set(machine.versions()) == {"python", "pushforward", *machine.PACKAGES}
