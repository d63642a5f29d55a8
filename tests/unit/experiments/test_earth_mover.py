"""`earth-mover`: its enumerations miss nothing, its ways to the distance agree, and its claims can fail."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest

from pushforward.experiments import earth_mover
from pushforward.experiments.earth_mover import (
    CRITICS,
    PLANS,
    POT,
    RANDOM,
    SIX,
    SORTING,
    TWO,
    best_critic,
    critic_values,
    every_critic,
    every_plan,
    piles,
    plan_costs,
)
from pushforward.experiments.harness.experiment import Cell, Results
from pushforward.experiments.harness.summary import check


def test_every_plan_is_there_once():
    """Putting labelled boxes on labelled places in every order gives the same tables, and no other."""
    sources, targets = [0, 0, 1, 2, 2], [0, 1, 1, 2, 2]
    tables = set()
    for order in permutations(targets):
        table = np.zeros((3, 3), dtype=int)
        np.add.at(table, (sources, list(order)), 1)
        tables.add(tuple(map(tuple, table.tolist())))
    plans = list(every_plan([2, 1, 2], [1, 2, 2]))
    assert len(plans) == len(tables)
    assert set(plans) == tables


def test_every_critic_changes_by_at_most_one_a_step():
    places = [3, 4, 6, 7]
    critics = list(every_critic(places))
    assert len(set(critics)) == len(critics) == 3 * 5 * 3
    far = np.abs(np.subtract.outer(places, places))
    assert all((np.abs(np.subtract.outer(f, f)) <= far).all() for f in critics)


@pytest.mark.parametrize("setting", [SIX, TWO])
def test_no_critic_passes_a_plan_and_they_meet(setting):
    problem = piles(setting, 0)
    assert max(critic_values(problem)) == min(plan_costs(problem))


@pytest.mark.parametrize("setting", [SIX, TWO])
def test_the_linear_program_finds_what_trying_all_critics_does(setting):
    problem = piles(setting, 0)
    assert best_critic(problem) == pytest.approx(max(critic_values(problem)))


def test_the_random_piles_differ_and_hold_equally_many_boxes():
    first, second = piles(RANDOM, 0), piles(RANDOM, 1)
    assert first.boxes.sum() == first.wanted.sum() == second.boxes.sum() == earth_mover.BOXES
    assert min(first.boxes.min(), first.wanted.min()) >= 1
    assert not np.array_equal(first.from_, second.from_)


@pytest.mark.parametrize("method", [PLANS, POT, CRITICS, SORTING])
def test_every_way_gives_the_two_worked_distances(method):
    assert earth_mover.run(Cell(method, SIX))["distance"] == pytest.approx(42)
    assert earth_mover.run(Cell(method, TWO))["distance"] == pytest.approx(2)


def outcome(**changes: float) -> Results:
    """What the cells give, with the named figures of the named methods replaced."""
    cells = earth_mover.cells("quick", range(2))
    figures = {cell: earth_mover.run(cell) for cell in cells}
    for cell, found in figures.items():
        found.update({name: v for name, v in changes.items() if name in found and cell.method == PLANS})
    return Results(figures)


def test_the_claims_hold_and_each_can_fail():
    claims = earth_mover.claims("quick")
    assert all(check(claim, outcome()).holds for claim in claims)
    wrong = outcome(**{"distance": 2.5, "dearest plan": 2.6, "named plans found": 1.0})
    assert not any(check(claim, wrong).holds for claim in claims)


def test_all_24_plans_are_drawn():
    figure = earth_mover.plot(outcome())
    titles = [ax.get_title() for ax in figure.axes]
    assert sum(title.endswith("= 42") and "+" in title for title in titles) == 24
    assert {"1+1 = 2", "3+3 = 6"} <= set(titles)
    assert math.isclose(figure.get_figwidth(), 15)
