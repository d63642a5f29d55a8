"""Curves from whatever rows a method wrote."""

from __future__ import annotations

import math

import pytest

from pushforward.report.training import MOST_POINTS, axis_limits, collect, is_negative_bound, panels


def row(step, **values):
    return {"step": step, "seconds": step / 10, **{k.replace("__", "/"): v for k, v in values.items()}}


def test_nothing_logged_means_no_panel():
    assert panels([]) == []
    assert panels([{"step": 1, "seconds": 2.0, "loss/a": math.nan, "note/x": "text", "flag/y": True}]) == []


def test_a_loss_that_is_the_negative_bound_shares_its_panel_with_the_validation():
    rows = [row(s, loss__vae=10.0 - s, info__kl=2.0, info__reconstruction=8.0 - s) for s in range(5)]
    rows += [row(4, metric__validation_elbo=-6.5, metric__kl=2.2)]
    drawn = {p.title: p for p in panels(rows)}
    bound = drawn["Loss, the negative bound"]
    assert [s.name for s in bound.series] == ["training", "held out"]
    assert bound.series[1].values == (6.5,)
    assert [s.values[-1] for s in drawn["KL from the prior"].series] == [2.0, 2.2]
    assert len(drawn) == 3


def test_another_loss_is_not_taken_for_the_bound():
    rows = [row(s, loss__vae=20.0, info__kl=2.0, info__reconstruction=8.0) for s in range(3)]
    rows += [row(2, metric__validation_elbo=-9.0)]
    assert not is_negative_bound(rows, "loss/vae")
    assert panels(rows)[0].title == "Loss"
    assert all(len(p.series) == 1 for p in panels(rows))


def test_two_players_have_a_panel_each_and_strange_keys_are_kept():
    rows = [row(s, loss__critic=1.0, loss__generator=2.0, info__odd_thing=3.0) for s in range(3)]
    assert [p.title for p in panels(rows)] == ["Loss of the critic", "Loss of the generator", "Odd thing"]


def test_long_runs_are_thinned_to_means():
    series = collect([row(s, loss__a=float(s % 2)) for s in range(10 * MOST_POINTS)])["loss/a"]
    assert len(series.values) == MOST_POINTS
    assert set(series.values) == {0.5}
    assert series.steps[-1] == 10 * MOST_POINTS - 1


def test_the_axis_leaves_out_a_wild_start_only():
    steep = collect([row(s, loss__a=1000.0 if s == 0 else 10 + 1 / s) for s in range(100)])["loss/a"]
    low, high = axis_limits([steep])
    assert 9 < low < 10 < high < 12
    calm = collect([row(s, loss__a=float(s)) for s in range(100)])["loss/a"]
    assert axis_limits([calm]) is None


@pytest.mark.parametrize("value", [0.0, 16.0, -3.0])
def test_a_constant_can_be_drawn_beside_what_changes(value):
    rows = [row(s, info__kl=value) for s in range(3)] + [row(2, metric__kl=value + 1)]
    (panel,) = panels(rows)
    assert "<svg" in panel.svg


def test_what_never_changed_is_a_sentence():
    rows = [row(s, metric__dead_units_1=0.0, metric__dead_units_2=0.0, loss__a=float(s)) for s in range(1, 6)]
    drawn = {p.title: p for p in panels(rows)}
    assert drawn["Dead units of the generator"].svg == ""
    assert drawn["Loss"].svg
    assert panels([row(1, loss__a=2.0)])[0].svg  # a single look says nothing of change


def test_the_best_step_is_marked_where_its_metric_is_drawn():
    rows = [row(s, loss__vae=10.0 - s, info__kl=2.0, info__reconstruction=8.0 - s) for s in range(5)]
    rows += [row(s, metric__validation_elbo=-9.0 + s, metric__active_units=float(s)) for s in range(1, 5)]
    drawn = {p.title: p for p in panels(rows, best={"metric": "validation_elbo", "step": 3})}
    marked = [title for title, p in drawn.items() if "best" in p.svg]
    assert marked == ["Loss, the negative bound"]


def test_many_lines_are_named_at_their_ends():
    rows = [row(s, **{f"metric__dead_units_{i}": s * i / 100 for i in (1, 2, 3)}) for s in range(1, 6)]
    (panel,) = panels(rows)
    assert all(f"layer {i}" in panel.svg for i in (1, 2, 3))
