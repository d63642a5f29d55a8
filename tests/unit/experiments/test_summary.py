"""Rows over seeds, and claims that can fail."""

from __future__ import annotations

import math

import pytest

from pushforward.experiments.harness.experiment import (
    Cell,
    Claim,
    Experiment,
    Figure,
    Incomplete,
    Published,
    Results,
)
from pushforward.experiments.harness.summary import check, seed_rows, spread_of

SCORES = {("a", ""): [1.0, 2.0, 6.0], ("b", "wide"): [5.0]}


def results(failed=()) -> Results:
    figures = {
        Cell(method, setting, seed, {"epochs": 3}): {"score": score, "time": 1.0}
        for (method, setting), scores in SCORES.items()
        for seed, score in enumerate(scores)
    }
    return Results(figures, set(failed))


def experiment(**changes) -> Experiment:
    given = {
        "name": "x",
        "title": "x",
        "about": "x",
        "source": "x",
        "cells": lambda budget, seeds: [],
        "run": lambda cell: {},
        "figures": {"time": Figure("s", "standard error"), "score": Figure("points")},
        "claims": lambda budget: [],
        "published": {("b", "wide", "score"): Published(4.0, "Table 3")},
    }
    return Experiment(**{**given, **changes})


def test_spread_is_the_sample_deviation_or_its_standard_error():
    # Of 1, 2, 6: mean 3, squared deviations 4 + 1 + 9 = 14, variance 14 / 2.
    assert spread_of([1.0, 2.0, 6.0], "sd") == pytest.approx(math.sqrt(7))
    assert spread_of([1.0, 2.0, 6.0], "standard error") == pytest.approx(math.sqrt(7 / 3))
    assert spread_of([1.0], "sd") is None


def test_rows_are_means_over_seeds_in_the_experiments_order():
    rows = seed_rows(experiment(), results())
    assert [(r.method, r.setting, r.figure) for r in rows] == [
        ("a", "", "time"),
        ("a", "", "score"),
        ("b", "wide", "time"),
        ("b", "wide", "score"),
    ]
    score = rows[1]
    assert (score.value, score.n, score.unit, score.spread_kind) == (3.0, 3, "points", "sd")
    assert rows[0].spread_kind == "standard error"
    assert (score.paper, score.source) == (None, None)


def test_a_row_carries_the_papers_number_and_one_seed_has_no_spread():
    row = seed_rows(experiment(), results())[-1]
    assert (row.value, row.n, row.spread, row.paper, row.source) == (5.0, 1, None, 4.0, "Table 3")


@pytest.mark.parametrize(
    ("sense", "bound", "holds"),
    [("<=", 3.0, True), ("<=", 2.9, False), (">=", 3.0, True), (">=", 3.1, False)],
)
def test_a_claim_is_a_side_of_its_bound(sense, bound, holds):
    claim = Claim("c", lambda r: r.mean("score", "a"), sense, bound)
    looked_at = check(claim, results())
    assert (looked_at.holds, looked_at.value, looked_at.bound) == (holds, 3.0, bound)


@pytest.mark.parametrize("sense", ["<=", ">="])
def test_nan_never_holds(sense):
    looked_at = check(Claim("c", lambda r: float("nan"), sense, 0.0), results())
    assert (looked_at.holds, looked_at.value) == (False, None)


def test_a_claim_about_a_failed_cell_does_not_hold():
    failed = [Cell("a", "", 3)]
    about_a = check(Claim("c", lambda r: r.mean("score", "a"), ">=", 0.0), results(failed))
    about_b = check(Claim("c", lambda r: r.mean("score", "b", "wide"), ">=", 0.0), results(failed))
    assert (about_a.holds, about_a.value) == (False, None)
    assert about_b.holds


def test_asking_for_what_no_cell_has_says_what_is_missing():
    with pytest.raises(Incomplete, match="'score' of c: no cell has it"):
        results().values("score", "c")
    with pytest.raises(Incomplete, match="a · seed 7 failed"):
        results([Cell("a", "", 7)]).all("score")
    assert results().all("score") == [1.0, 2.0, 6.0, 5.0]
    assert results().all("score", "b") == [5.0]


def test_a_figure_that_a_method_has_not_is_no_value_but_has_no_mean():
    assert results().values("other", "a") == []
    with pytest.raises(Incomplete, match="'other' of a: no cell has it"):
        results().mean("other", "a")
