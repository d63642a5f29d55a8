"""The toy experiment in the table, an empty cache, and a count of what its cells ran."""

from __future__ import annotations

import pytest

from pushforward.experiments.harness.table import EXPERIMENTS, Entry
from tests.unit.experiments import toy


@pytest.fixture(autouse=True)
def toy_experiment(monkeypatch, tmp_path, cache):
    monkeypatch.setitem(EXPERIMENTS, "toy", Entry("toy", toy.MODULE, "a coin", 0.1))
    monkeypatch.chdir(tmp_path)
    return toy.EXPERIMENT


@pytest.fixture
def ran(monkeypatch, tmp_path):
    """Call it for the labels of the cells that were really run, in order."""
    log = tmp_path / "ran.log"
    log.touch()
    monkeypatch.setenv("TOY_LOG", str(log))
    return lambda: log.read_text().split("\n")[:-1]
