"""What every experiment of the table must keep, now and later."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pushforward.errors import UserError
from pushforward.experiments.harness.experiment import Incomplete, Results
from pushforward.experiments.harness.markdown import render_markdown
from pushforward.experiments.harness.table import EXPERIMENTS, find_entry, load_experiment

RESULTS = Path(__file__).parents[3] / "docs" / "results"
NAMES = list(EXPERIMENTS)
BUDGETS = ("quick", "full")


@pytest.mark.parametrize("name", NAMES)
def test_an_experiment_is_what_its_entry_says(name):
    experiment = load_experiment(find_entry(name).module)
    assert experiment.name == name
    assert all((experiment.title, experiment.about, experiment.source))
    assert experiment.seeds["quick"] >= 3


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("name", NAMES)
def test_its_cells_are_distinct_and_can_be_written_down(name, budget):
    cells = load_experiment(find_entry(name).module).cells(budget, range(2))
    assert len({(cell.method, cell.setting, cell.seed) for cell in cells}) == len(cells) > 0
    for cell in cells:
        assert json.loads(json.dumps(dict(cell.options))) == cell.options


@pytest.mark.parametrize("name", NAMES)
def test_a_published_number_belongs_to_a_cell_and_a_figure(name):
    experiment = load_experiment(find_entry(name).module)
    known = {(cell.method, cell.setting) for cell in experiment.cells("full", range(1))}
    for method, setting, figure in experiment.published:
        assert (method, setting) in known
        assert figure in experiment.figures


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("name", NAMES)
def test_its_claims_ask_only_for_figures_that_cells_give(name, budget):
    experiment = load_experiment(find_entry(name).module)
    cells = experiment.cells(budget, range(2))
    figures = {cell: dict.fromkeys(experiment.figures, 1.0) for cell in cells}
    claims = experiment.claims(budget)
    assert any(claim.required for claim in claims)
    for claim in claims:
        assert isinstance(claim.value(Results(figures)), float)
        with pytest.raises(Incomplete):  # and none holds by saying nothing of any run
            claim.value(Results({}))


@pytest.mark.parametrize("name", NAMES)
def test_its_kept_result_is_of_it_holds_and_renders(name):
    """The numbers of the documentation are those of a run of this experiment."""
    experiment = load_experiment(find_entry(name).module)
    if find_entry(name).minutes is None:
        assert not (RESULTS / f"{name}.json").exists()
        pytest.skip("not run as a whole yet")
    kept = json.loads((RESULTS / f"{name}.json").read_text())
    cells = experiment.cells(kept["budget"], kept["seeds"])
    assert kept["cells"] == len(cells)
    named, known = (
        {(r["method"], r["setting"]) for r in kept["rows"]},
        {(c.method, c.setting) for c in cells},
    )
    shown, figures = {row["figure"] for row in kept["rows"]}, set(experiment.figures)
    if experiment.rows is None:
        assert (named, shown) == (known, figures)
    else:  # a table of its own making may leave some out
        assert named <= known
        assert shown <= figures
    claims = experiment.claims(kept["budget"])
    assert [(c["claim"], c["bound"], c["sense"]) for c in kept["checks"]] == [
        (c.claim, c.bound, c.sense) for c in claims
    ]
    assert all(check["holds"] for check in kept["checks"] if check["required"])
    assert re.fullmatch("[0-9a-f]{40}", kept["commit"])  # no uncommitted change went into it
    assert f"## {experiment.title}" in render_markdown(kept)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UserError, match="no experiment 'gausian-mse'; perhaps you meant 'gaussian-mse'"):
        find_entry("gausian-mse")
