"""The damages are what they say, and what is claimed of measures is what the cells say."""

from __future__ import annotations

import pytest
import torch

from pushforward.core import to_float
from pushforward.data import load_dataset
from pushforward.experiments import metric_sanity
from pushforward.experiments.damage import damaged
from pushforward.experiments.harness.experiment import Cell, Results
from pushforward.experiments.metric_sanity import DAMAGES, FRESH, NAMES, cells, claims
from pushforward.metrics.images import sharpness


@pytest.fixture(scope="module")
def parts():
    data = load_dataset("digits")
    return [data.subset(range(i, i + 200)) for i in (0, 200, 400)]


def made(parts, damage, strength):
    fresh, more, train = parts
    options = {"data": "digits", "damage": damage, "strength": strength}
    return damaged(fresh, more, train, Cell(damage or FRESH, "digits", 0, options))


def test_damages_are_what_they_say(parts):
    fresh, _, train = parts
    assert torch.equal(made(parts, None, 0.0), fresh.x)
    sharp = [sharpness(to_float(made(parts, "blur", s))).mean() for s in (0.25, 0.5, 1.0)]
    assert sharpness(to_float(fresh.x)).mean() > sharp[0] > sharp[1] > sharp[2]
    noisy = [(to_float(made(parts, "noise", s)) - to_float(fresh.x)).std() for s in (0.25, 1.0)]
    assert noisy[0] < noisy[1]
    assert len(torch.unique(made(parts, "repeats", 1.0), dim=0)) <= 20
    assert torch.equal(made(parts, "copies", 1.0), train.x)
    assert torch.equal(made(parts, "copies", 0.5)[100:], fresh.x[100:])
    missing = made(parts, "missing classes", 1.0)
    assert len(missing) == 200
    kept = torch.cat([p.x[p.labels >= 8] for p in parts[:2]])
    assert {tuple(x.flatten().tolist()) for x in missing} <= {tuple(x.flatten().tolist()) for x in kept}


def test_a_cell_gives_every_figure(cache, monkeypatch):
    for name, n in (("TRAIN", 60), ("HELD_OUT", 40), ("MADE", 40)):
        monkeypatch.setattr(metric_sanity, name, n)
    told = metric_sanity.run(
        Cell("copies 1", "digits", 0, {"data": "digits", "damage": "copies", "strength": 1.0})
    )
    assert tuple(told) == NAMES
    assert told["authentic"] == 0


def test_claims_read_order_of_strength():
    plan = cells("quick", [0, 1])
    assert len(plan) == 2 * (1 + 3 * len(DAMAGES))

    def figures(cell: Cell) -> dict[str, float]:
        strength = cell.options["strength"]
        return dict.fromkeys(NAMES, 1.0 + strength + 0.01 * cell.seed)

    results = Results({cell: figures(cell) for cell in plan})
    told = {c.claim: c.value(results) for c in claims("quick")}
    sd = 0.01 / 2**0.5
    assert told["frechet rises with blur, at full strength by 3 sd"] == pytest.approx(1 / sd)
    assert told["frechet rises with blur, no step back by 3 sd"] == 0
    assert told["vendi falls with repeats, at full strength by 3 sd"] == pytest.approx(-1 / sd)
    assert told["vendi falls with repeats, no step back by 3 sd"] == pytest.approx(0.5 / sd)
    assert len(cells("full", [0])) == 2 * (1 + 3 * len(DAMAGES))
