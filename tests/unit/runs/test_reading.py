"""What a run says while its data are read, and what Python shows of it."""

from __future__ import annotations

import importlib
import threading

import pytest

import pushforward
from pushforward.errors import UserError
from pushforward.runs.single import Progress

run_module = importlib.import_module("pushforward.runs.run")


def test_reading_that_takes_a_while_is_told(tmp_path, monkeypatch):
    lines: list[str] = []
    slow, told = threading.Event(), threading.Event()

    def prepare(config):
        assert told.wait(60)
        slow.set()
        raise UserError("enough")

    def say(line: str) -> None:
        lines.append(line)
        told.set()

    monkeypatch.setattr(run_module, "QUIET_S", 0.01)
    monkeypatch.setattr(run_module, "prepare", prepare)
    with pytest.raises(UserError, match="enough"):
        run_module.train("vae", data="digits", run=tmp_path / "r", steps=1, progress=Progress(say=say))
    assert slow.is_set()
    assert lines == ["reading digits"]


def test_python_has_progress_and_a_report(tmp_path, capsys):
    with pushforward.TrainingDisplay() as display:
        folder = pushforward.train(
            "vae",
            data="digits",
            steps=2,
            options={"hidden": [8]},
            run=tmp_path / "r",
            progress=display.progress,
        )
    told = capsys.readouterr().err
    assert "step 2/2" in told
    assert pushforward.write_report(folder) == folder / "report.html"
    assert (folder / "report.html").is_file()
