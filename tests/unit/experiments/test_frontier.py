"""`beta-frontier` and `aggregate-posterior`: their cells run, and their claims can fail."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from pushforward.experiments import aggregate_posterior, beta_frontier
from pushforward.experiments.harness.experiment import Cell, Results
from pushforward.experiments.harness.summary import check


@pytest.mark.parametrize("method", [beta_frontier.FIXED, beta_frontier.LEARNED, beta_frontier.GECO])
def test_a_cell_gives_declared_finite_figures(method):
    cell = Cell(method, "β = 1", 0, {"β": 1.0, "steps": 3})
    figures = beta_frontier.run(cell)
    assert figures.keys() <= beta_frontier.EXPERIMENT.figures.keys()
    assert all(math.isfinite(v) for v in figures.values())
    assert ("β found" in figures) == (method != beta_frontier.FIXED)


def parabola(*, found: float = 1.0, shift: float = 0.0, bend: float = 1.0) -> Results:
    """A curve D(R) with slope -β at R = 30 - 3β: D = ∫ β d(3β)."""

    def figures(beta: float) -> dict[str, float]:
        rate, distortion = 30 - 3 * beta, 90 + 1.5 * bend * beta**2
        return {
            "rate": rate,
            "distortion": distortion,
            "rate in training": rate,
            "distortion in training": distortion,
        }

    extra = {"β found / β": found, "off the curve": shift, "slackness": shift}
    cells = beta_frontier.cells("quick", range(2))
    return Results(
        {
            cell: figures(cell.options["β"]) | ({} if cell.method == beta_frontier.FIXED else extra)
            for cell in cells
        }
    )


def failing(results: Results) -> list[str]:
    return [
        c.claim for c in (check(claim, results) for claim in beta_frontier.claims("quick")) if not c.holds
    ]


def test_the_claims_hold_on_a_curve_of_the_right_slope():
    assert failing(parabola()) == []
    assert beta_frontier.plot(parabola()).axes[0].get_legend() is not None


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"found": 1.3}, "learned to 25 %"),
        ({"found": 0.7}, "learned to 25 %"),
        ({"shift": -2.0}, "lies on the curve"),
        ({"shift": 0.6}, "slackness"),
        ({"bend": 2.5}, "slope"),
        ({"bend": 0.4}, "slope"),
    ],
)
def test_each_claim_can_fail(wrong, words):
    failures = failing(parabola(**wrong))
    assert failures
    assert any(words in claim for claim in failures)


def test_the_aggregate_cell_gives_every_distance(monkeypatch):
    monkeypatch.setattr(aggregate_posterior, "DRAWS", 100)
    (cell, *_) = aggregate_posterior.cells("quick", [0])
    figures = aggregate_posterior.run(replace(cell, options={"steps": 2}))
    assert figures.keys() == aggregate_posterior.EXPERIMENT.figures.keys()
    assert figures[aggregate_posterior.TEST] < figures[aggregate_posterior.PRIOR]


def test_the_aggregate_claims_fail_where_a_fit_is_worth_nothing():
    cells = aggregate_posterior.cells("quick", [0])
    prior, mixture, codes, test = aggregate_posterior.EXPERIMENT.figures
    same = Results({cell: {prior: 9.0, mixture: 9.5, codes: 5.0, test: 10.0} for cell in cells})
    better = Results({cell: {prior: 9.0, mixture: 4.0, codes: 5.0, test: 1.0} for cell in cells})
    claims = aggregate_posterior.claims("quick")
    assert not any(check(claim, same).holds for claim in claims)
    assert all(check(claim, better).holds for claim in claims)
