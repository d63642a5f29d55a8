"""What a run says while its data are read."""

from __future__ import annotations

import importlib
import threading

import pytest

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
