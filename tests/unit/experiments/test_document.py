"""The JSON that is printed and the file that is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pushforward.errors import UserError
from pushforward.experiments.harness.document import contract, destination, document, svg, write
from pushforward.experiments.harness.execute import execute
from tests.unit.experiments import toy


@pytest.fixture
def outcome():
    return execute(toy.MODULE, seeds=2, workers=1)


def test_the_contract_has_these_keys(outcome):
    content = contract(outcome)
    assert set(content) == {"name", "budget", "seconds", "rows", "checks"}
    assert set(content["rows"][0]) == {
        *("method", "setting", "figure", "value", "unit"),
        *("spread", "spread_kind", "n", "paper", "source"),
    }
    assert set(content["checks"][0]) == {"claim", "holds", "value", "bound", "required", "sense"}
    assert (content["name"], content["budget"]) == ("toy", "quick")
    assert content["seconds"] == pytest.approx(outcome.seconds, abs=1e-3)


def test_the_file_says_where_it_came_from(outcome, tmp_path):
    path = tmp_path / "out" / "toy.json"
    write(outcome, path, commit="abc")
    content = json.loads(path.read_text())
    assert content == json.loads(json.dumps(document(outcome, commit="abc")))
    assert content["command"] == "pushforward experiment toy --budget quick --seeds 2"
    assert (content["commit"], content["seeds"], content["cells"]) == ("abc", [0, 1], 4)
    assert len(content["hardware"]) == 1
    assert "torch" in content["versions"]
    assert (tmp_path / "out" / content["plot"]).read_text().startswith("<?xml")


def test_a_plot_has_the_same_bytes_each_time(outcome):
    assert svg(toy.plot(outcome.results)) == svg(toy.plot(outcome.results))


def test_results_go_to_the_docs_of_a_checkout_else_here(tmp_path):
    assert destination("toy", "quick", None) == (Path("toy.json"), False)
    (tmp_path / "docs" / "results").mkdir(parents=True)
    assert destination("toy", "quick", None) == (Path("docs/results/toy.json"), False)
    assert destination("toy", "quick", Path("x")) == (Path("x/toy.json"), False)


@pytest.mark.parametrize("there", ['{"budget": "full"}', '{"budget": "quick"}', "{", '{"budget": 3}', "[]"])
def test_only_a_larger_budget_is_kept_from_being_replaced(there):
    Path("toy.json").write_text(there)
    path = Path("toy.json")
    assert destination("toy", "quick", None) == (path, "full" in there)
    assert destination("toy", "full", None) == (path, False)
    assert destination("toy", "quick", Path()) == (path, False)


def test_a_folder_that_cannot_be_written_is_one_line(outcome, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"--out: cannot write .*; choose another folder"):
        write(outcome, tmp_path / "file" / "toy.json", commit=None)
