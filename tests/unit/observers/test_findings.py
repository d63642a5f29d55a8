"""Findings are kept as they stand, and forgotten when they go away."""

from __future__ import annotations

import json
from dataclasses import asdict

from pushforward.core import Finding, Observation, Observer
from pushforward.observers.findings import FindingsFile, read_findings


class Look(Observer):
    """Finds what it is told to."""

    def due(self, clock) -> bool:
        return True

    def observe(self, snapshot) -> Observation:
        return Observation()


def called(name: str) -> Look:
    observer = Look()
    observer.name = name
    return observer


A, B = called("a"), called("b")
FOUND = Finding(
    name="ill", severity="warning", confidence=0.5, evidence="e", advice="a", command="--latent-dim 3"
)


def test_a_cure_is_a_whole_command_and_is_told_once(tmp_path):
    told = []
    file = FindingsFile(
        tmp_path / "f.json", tell=told.append, rerun="pushforward train --config r/config.yaml"
    )
    file.update(Look(), [FOUND])
    file.update(Look(), [FOUND])
    assert [f.command for f in told] == ["pushforward train --config r/config.yaml --latent-dim 3"]
    assert read_findings(tmp_path / "f.json") == told


def test_what_went_away_is_not_kept_and_others_are(tmp_path):
    file = FindingsFile(tmp_path / "f.json")
    file.update(A, [FOUND])
    file.update(B, [FOUND])
    assert [f.name for f in read_findings(tmp_path / "f.json")] == ["a/ill", "b/ill"]  # two of one class
    file.update(A, [])
    assert [f.name for f in read_findings(tmp_path / "f.json")] == ["b/ill"]
    file.update(B, [])
    assert read_findings(tmp_path / "f.json") == []


def test_no_finding_writes_no_file(tmp_path):
    FindingsFile(tmp_path / "f.json").update(A, [])
    assert not (tmp_path / "f.json").exists()


def test_a_file_that_calls_an_observer_by_its_class_is_taken_over(tmp_path):
    """As version 0.1.0 wrote it."""
    path = tmp_path / "f.json"
    path.write_text(json.dumps({"Look": [asdict(FOUND)], "Other": [asdict(FOUND)]}))
    look = called("look")
    FindingsFile(path).update(look, [])
    assert json.loads(path.read_text()).keys() == {"Other"}
    assert read_findings(path) == [FOUND]
