"""Finished cells on disk: found again exactly when nothing that matters has changed."""

from __future__ import annotations

import os

import pytest

from pushforward.experiments.harness.cache import CellCache, Record, write_whole
from pushforward.experiments.harness.experiment import Cell
from pushforward.experiments.harness.sources import Sources

VERSIONS = {"torch": "1"}
CELL = Cell("vae", "wide", 3, {"steps": 10})


def open_cache(name="x", versions=VERSIONS) -> CellCache:
    return CellCache(name, Sources(), versions)


def record(**changes) -> Record:
    code = Sources().hashes(["pushforward.objectives.elbo"])
    given = {"figures": {"elbo": -1.5}, "seconds": 2.0, "hardware": "cpu", "versions": VERSIONS, "code": code}
    return Record(**{**given, **changes})


def test_a_kept_cell_is_found_by_another_process_cache_object():
    open_cache().put(CELL, record())
    assert open_cache().get(CELL) == record()


@pytest.mark.parametrize(
    "other",
    [
        Cell("gan", "wide", 3, {"steps": 10}),
        Cell("vae", "thin", 3, {"steps": 10}),
        Cell("vae", "wide", 4, {"steps": 10}),
        Cell("vae", "wide", 3, {"steps": 11}),
    ],
)
def test_another_cell_is_not_found(other):
    open_cache().put(CELL, record())
    assert open_cache().get(other) is None


def test_a_cell_of_another_experiment_version_or_code_is_not_found():
    open_cache().put(CELL, record())
    assert open_cache("y").get(CELL) is None
    assert open_cache(versions={"torch": "2"}).get(CELL) is None
    open_cache().put(CELL, record(code={"pushforward.objectives.elbo": "0" * 64}))
    assert open_cache().get(CELL) is None


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"record": {"figures": {}}}', '{"record": 1}'])
def test_a_damaged_file_counts_as_absent(damage):
    cache = open_cache()
    cache.put(CELL, record())
    (path,) = cache.folder.glob("*.json")
    path.write_text(damage)
    assert cache.get(CELL) is None


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "folder" / "x.json"
    write_whole(path, "old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]
