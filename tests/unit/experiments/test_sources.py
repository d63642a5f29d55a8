"""A hash that follows the code and nothing else."""

from __future__ import annotations

import sys

import pytest

from pushforward.experiments.harness.sources import ROOT, Sources, hash_code

CODE = b'"""Doc."""\ndef f(x):\n    """Doc."""\n    return x + 1\n'


@pytest.mark.parametrize(
    "same",
    [
        b'"""Another."""\ndef f(x):\n    return x + 1\n',
        b'"""Doc."""\n\n# why\ndef f( x ):\n    """Doc."""\n    return (x + 1)  # here\n',
    ],
)
def test_words_and_layout_do_not_count(same):
    assert hash_code(same) == hash_code(CODE)


@pytest.mark.parametrize("other", [CODE.replace(b"1", b"2"), CODE.replace(b"x + 1", b"'x'"), b"not python("])
def test_code_counts(other):
    assert hash_code(other) != hash_code(CODE)


def test_what_does_not_parse_still_has_a_hash_of_its_own():
    assert hash_code(b"a(") != hash_code(b"b(")


@pytest.fixture
def module(tmp_path, monkeypatch):
    path = tmp_path / "sketched_experiment.py"
    path.write_bytes(CODE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield path
    sys.modules.pop("sketched_experiment", None)


def test_an_edit_makes_a_record_stale_and_undoing_it_does_not(module):
    recorded = Sources("sketched_experiment").hashes(["sketched_experiment", "pushforward.objectives.elbo"])
    assert set(recorded) == {"sketched_experiment", "pushforward.objectives.elbo"}
    module.write_bytes(CODE.replace(b"1", b"2"))
    assert not Sources("sketched_experiment").unchanged(recorded)
    module.write_bytes(CODE)
    assert Sources("sketched_experiment").unchanged(recorded)


def test_code_is_read_before_cells_run_not_after(module):
    sources = Sources("sketched_experiment")
    before = sources.hashes(["sketched_experiment"])
    module.write_bytes(CODE.replace(b"1", b"2"))
    assert sources.hashes(["sketched_experiment"]) == before


def test_a_module_that_is_gone_makes_a_record_stale():
    assert not Sources().unchanged({"pushforward.objectives.gone": "0" * 64})


def test_what_only_runs_cells_or_names_things_is_left_out():
    names = [
        "pushforward.cli",
        "pushforward.cli.train",
        "pushforward.methods",
        "pushforward.experiments.harness.pool",
    ]
    assert Sources().hashes(names) == {}
    assert (ROOT / "experiments" / "harness" / "pool.py").is_file()
