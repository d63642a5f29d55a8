"""`pushforward experiment` as a user meets it."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from pushforward.cli import main
from pushforward.cli.experiment_display import ExperimentDisplay, show
from pushforward.experiments.harness.execute import execute
from pushforward.experiments.harness.experiment import Cell
from pushforward.experiments.harness.table import EXPERIMENTS, Entry
from tests.unit.experiments import toy
from tests.unit.experiments.processes import wait_until_gone

QUICK = ["experiment", "toy", "--seeds=2", "--workers=1"]


@pytest.fixture(autouse=True)
def toy_experiment(monkeypatch, tmp_path, cache):
    monkeypatch.setitem(EXPERIMENTS, "toy", Entry("toy", toy.MODULE, "a coin", 0.1))
    monkeypatch.chdir(tmp_path)


def fails(*words: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    return stop.value.code


@pytest.mark.parametrize("words", [["experiment"], ["experiment", "list"], ["experiment", "--help"]])
def test_the_list_names_every_experiment(words, capsys):
    main(words)
    out = capsys.readouterr().out
    for name, entry in EXPERIMENTS.items():
        assert f"  {name} " in out
        assert entry.summary in out


def test_listing_does_not_import_torch():
    code = (
        "import sys; from pushforward.cli import main; main(['experiment']); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_help_names_the_options(capsys):
    assert fails("experiment", "toy", "--help") in (0, None)
    out = capsys.readouterr().out
    for option in ("--budget", "--seeds", "--workers", "--out", "--fresh", "--json"):
        assert option in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["toys"], "NAME: there is no experiment 'toys'; perhaps you meant 'toy'"),
        (["--json"], "NAME: none given before --json"),
        (["toy", "--seeds", "0"], "--seeds: 0; expected at least 1"),
        (["toy", "--budget", "huge"], "--budget"),
    ],
)
def test_a_mistake_is_one_line(words, says, capsys):
    assert fails("experiment", *words) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1


def test_rows_checks_and_the_result_are_shown(capsys):
    main(QUICK)
    captured = capsys.readouterr()
    assert "A coin has two sides (quick, " in captured.out
    assert "10.5 ± 0.71 (n = 2)" in captured.out
    assert [line.split()[0] for line in captured.out.splitlines() if "score enough" in line] == ["holds"]
    assert [line.split()[0] for line in captured.out.splitlines() if "paper's" in line] == ["missed"]
    assert captured.out.endswith("result  toy.json\n")
    assert Path("toy.json").is_file()
    assert "[1/4] coin · heads · seed 0: 0.0 s" in captured.err
    main(QUICK)
    assert "4 of 4 cells had finished before" in capsys.readouterr().err


def test_json_is_all_that_standard_output_gets(capsys):
    main([*QUICK, "--json", "--out", "there"])
    captured = capsys.readouterr()
    printed, kept = json.loads(captured.out), json.loads(Path("there/toy.json").read_text())
    assert printed.items() <= kept.items()
    assert "result  there/toy.json" in captured.err


def test_a_false_claim_exits_1_and_is_named(monkeypatch, capsys):
    monkeypatch.setenv("TOY_BOUND", "11")
    assert fails(*QUICK, "--json") == 1
    captured = capsys.readouterr()
    check = json.loads(captured.out)["checks"][0]
    assert (check["holds"], check["value"], check["bound"], check["required"]) == (False, 10.5, 11.0, True)
    assert "error: toy: does not hold: heads score enough\n" in captured.err
    assert json.loads(Path("toy.json").read_text())["checks"][0]["holds"] is False  # a miss is kept as one


def test_a_failed_cell_exits_1_and_keeps_the_old_result(monkeypatch, capsys):
    Path("toy.json").write_text("{}")
    monkeypatch.setenv("TOY_FAIL", Cell("coin", "heads", 1).label)
    assert fails(*QUICK) == 1
    captured = capsys.readouterr()
    assert "coin · heads · seed 1: ValueError: it fell on its edge (log: " in captured.err
    assert "toy: 1 of 4 cells failed, so no result was written" in captured.err
    assert "Traceback" not in captured.err
    assert [line.split()[0] for line in captured.out.splitlines() if "score enough" in line] == ["FAILS"]
    assert Path("toy.json").read_text() == "{}"


def test_a_quick_result_does_not_replace_a_full_one_unasked(capsys):
    main([*QUICK, "--budget=full"])
    main(QUICK)
    assert "not written: toy.json holds the full budget's result" in capsys.readouterr().out
    assert json.loads(Path("toy.json").read_text())["budget"] == "full"
    main([*QUICK, "--out=."])
    assert json.loads(Path("toy.json").read_text())["budget"] == "quick"


def test_a_terminal_shows_a_table_of_cells_while_they_run(monkeypatch):
    monkeypatch.setenv("TOY_FAIL", Cell("coin", "tails", 0).label)
    screen = io.StringIO()
    with ExperimentDisplay(Console(file=screen, force_terminal=True, width=100)) as display:
        outcome = execute(toy.MODULE, seeds=2, workers=1, watch=display.watch)
        table = io.StringIO()
        Console(file=table, width=100).print(display._table())
    lines = [" ".join(line.split()) for line in table.getvalue().splitlines()]
    assert "coin heads 2/2 0.0" in lines
    assert "coin tails 1/2, 1 failed 0.0" in lines
    assert lines[-1].startswith("4/4 cells, ")
    shown = io.StringIO()
    show(outcome, Console(file=shown, width=100, force_terminal=True))
    assert "FAILS" not in screen.getvalue()
    assert "tails" in shown.getvalue()


@pytest.mark.parametrize(
    ("number", "status", "says"),
    [(signal.SIGTERM, 143, "stopped; finished cells are kept"), (signal.SIGINT, 130, "interrupted")],
)
def test_a_signal_ends_every_process_and_keeps_what_finished(number, status, says, tmp_path):
    log = tmp_path / "ran.log"
    log.touch()
    code = (
        "from pushforward.experiments.harness.table import EXPERIMENTS, Entry; "
        "from pushforward.cli import main; "
        f"EXPERIMENTS['toy'] = Entry('toy', {toy.MODULE!r}, 'a coin', 0.1); main({QUICK!r})"
    )
    slow = Cell("coin", "heads", 1).label
    env = {**os.environ, "TOY_SLOW": slow, "TOY_LOG": str(log), "PYTHONPATH": str(Path(__file__).parents[3])}
    stopped = subprocess.Popen(
        # A background job of a shell ignores Ctrl-C, and so would what it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        args=[sys.executable, "-c", code],
        env=env,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while slow not in log.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(stopped.pid, number)  # as a terminal does
    _, err = stopped.communicate(timeout=30)
    assert stopped.returncode == status
    assert says in err
    assert "Traceback" not in err
    wait_until_gone(stopped.pid)
    outcome = execute(toy.MODULE, seeds=2, workers=1)
    assert len(outcome.records) == 4


def test_the_listing_has_minutes_and_what_came_of_the_results_here(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[3])
    main(["experiment", "list"])
    told = capsys.readouterr().out
    assert "10 of 10 hold" in told
    # Of cells that ran two at a time, with other work beside them.
    minutes = {entry.name: entry.minutes or 0 for entry in EXPERIMENTS.values()}
    assert minutes.pop("few-images") <= 180  # thirteen remedies, each with a minute and more
    assert max(minutes.values()) <= 45
    monkeypatch.chdir(tmp_path)
    main(["experiment", "list"])
    told = capsys.readouterr().out
    assert "of 10 hold" not in told
    assert " min " in told


def test_help_names_the_presets(capsys):
    with pytest.raises(SystemExit):
        main(["train", "vae", "--help"])
    assert "--preset mnist" in " ".join(capsys.readouterr().out.split())
