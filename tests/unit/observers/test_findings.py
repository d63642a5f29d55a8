"""Findings are kept as they stand, and forgotten when they go away."""

from __future__ import annotations

from pushforward.core import Finding
from pushforward.observers.findings import FindingsFile, read_findings

FOUND = Finding(
    name="ill", severity="warning", confidence=0.5, evidence="e", advice="a", command="--latent-dim 3"
)


def test_a_cure_is_a_whole_command_and_is_told_once(tmp_path):
    told = []
    file = FindingsFile(
        tmp_path / "f.json", tell=told.append, rerun="pushforward train --config r/config.yaml"
    )
    file.update("Validation", [FOUND])
    file.update("Validation", [FOUND])
    assert [f.command for f in told] == ["pushforward train --config r/config.yaml --latent-dim 3"]
    assert read_findings(tmp_path / "f.json") == told


def test_what_went_away_is_not_kept_and_others_are(tmp_path):
    file = FindingsFile(tmp_path / "f.json")
    file.update("A", [FOUND])
    file.update("B", [FOUND])
    file.update("A", [])
    assert read_findings(tmp_path / "f.json") == [FOUND]
    file.update("B", [])
    assert read_findings(tmp_path / "f.json") == []


def test_no_finding_writes_no_file(tmp_path):
    FindingsFile(tmp_path / "f.json").update("A", [])
    assert not (tmp_path / "f.json").exists()
