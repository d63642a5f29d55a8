"""`dying-relu`: a cell runs, and each of its claims can fail."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from pushforward.experiments import dying_relu as dying
from pushforward.experiments.harness.experiment import Cell, Results
from pushforward.experiments.harness.summary import check


def cell(method: str, bias: float = 0.0, seed: int = 0, steps: int = 4) -> Cell:
    options = {"slope": dying.SLOPES[method], "rate": 1e-3, "bias": bias, "steps": steps}
    return Cell(method, dying.label(1e-3, bias), seed, options)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_cell_gives_declared_finite_figures(seed):
    figures = dying.run(cell(dying.RELU, seed=seed, steps=20))
    declared = dying.EXPERIMENT.figures
    assert figures.keys() <= declared.keys()
    assert (figures.keys() == declared.keys()) == (seed == 0)  # whose samples are shown
    assert all(math.isfinite(v) for v in figures.values())
    last = dying.at(dying.SCORE, 1.0)
    assert figures[last] == figures[dying.SCORE]


def test_the_data_themselves_are_the_floor():
    floor = dying.run(Cell(dying.ORACLE))
    assert floor.keys() == {dying.SCORE}
    assert 0 < floor[dying.SCORE] < 0.05


def test_two_cells_differ_in_slope_and_bias_alone():
    a, b = (dying.initial_model(cell(method, -3.0)).generator for method in dying.SLOPES)
    assert [type(m) for m in a if not isinstance(m, nn.Linear)] == [nn.ReLU, nn.ReLU]
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))
    assert a[0].bias.tolist() == a[2].bias.tolist() == [-3.0] * 64
    assert a[4].bias.tolist() != [-3.0] * 2  # the output's is nobody's business


def test_a_dead_layer_moves_nothing_but_what_is_above_it():
    """At bias -100 no unit of either layer is on: ReLU's weights stay, LeakyReLU's move."""
    for method, moves in ((dying.RELU, False), (dying.LEAKY, True)):
        asked = cell(method, -100.0)
        model = dying.initial_model(asked)
        before = [p.clone() for p in model.generator.parameters()]
        points = dying.load_splits("ring").train
        assert list(dying.train(model, points, asked)) == [0, 1, 2, 3, 4]
        *below, weight, bias = zip(model.generator.parameters(), before, strict=True)
        assert all(torch.equal(p, q) != moves for p, q in below)
        assert not torch.equal(*bias)
        assert torch.equal(*weight) != moves


def results(*, dead: float = 1.0, stays: float = 1.0, leaky: float = 0.1, first: float = 0.95) -> Results:
    """Figures as one would wish them, for every cell but the samples."""

    def figures(c: Cell) -> dict[str, float]:
        if c.method == dying.ORACLE:
            return {dying.SCORE: 0.01}
        mild = c.setting == dying.label(*dying.MILD)
        relu = c.method == dying.RELU
        end, quarter = (0.1, 0.2) if mild else (0.8 * stays, 0.8) if relu else (leaky, 0.5)
        silent = 0.05 if mild else dead if relu else 0.1
        return {
            dying.SCORE: end,
            dying.at(dying.SCORE, 0.25): quarter,
            dying.SILENT[0]: 0.0,
            dying.SILENT[1]: silent,
            dying.at(dying.SILENT[1], 0): first,
        }

    return Results({c: figures(c) for c in dying.cells("quick", range(2))})


def missed(r: Results) -> list[str]:
    return [claim.claim for claim in dying.claims("quick") if not check(claim, r).holds]


def test_claims_hold_of_what_they_describe_and_fail_of_what_they_do_not():
    assert missed(results()) == []
    assert any("a whole layer is dead" in c for c in missed(results(dead=0.98)))
    assert any("kills by itself" in c for c in missed(results(dead=0.2)))
    assert any("does not improve" in c for c in missed(results(stays=0.85)))
    assert any("improves by at least" in c for c in missed(results(leaky=0.46)))
    assert any("at most 0.3" in c for c in missed(results(leaky=0.3)))
    assert any("not in the end" in c for c in missed(results(first=0.5)))


def test_the_table_shows_the_ends_alone():
    shown = {row.figure for row in dying.rows(results())}
    assert shown == {dying.SCORE, *dying.SILENT}
