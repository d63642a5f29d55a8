"""`adagan`: its cells run, its modes lie apart, and its claims can fail."""

from __future__ import annotations

import math

import pytest
import torch

from pushforward.ensembles.recipe import AdaGANRecipe
from pushforward.experiments import adagan
from pushforward.experiments.adagan import ALIKE, BOOSTED, ORACLE, SIZES
from pushforward.experiments.harness.experiment import Cell, Results
from pushforward.experiments.harness.summary import check


def test_the_modes_lie_apart():
    centres = torch.from_numpy(adagan.square_modes().centres)
    assert len(centres) == 10
    assert torch.pdist(centres).min() > 10 * adagan.SIGMA
    assert centres.abs().max() <= 15


def test_cells_give_declared_finite_figures_and_share_their_first_component(monkeypatch):
    monkeypatch.setattr(adagan, "SIZES", (1, 2))
    monkeypatch.setattr(adagan, "TRAIN", 500)
    monkeypatch.setattr(adagan, "AdaGANRecipe", lambda **kw: AdaGANRecipe(**{**kw, "classifier_steps": 5}))
    boosted, alike = (adagan.run(Cell(method, "", 0, {"steps": 2})) for method in (BOOSTED, ALIKE))
    assert boosted.keys() == alike.keys() <= adagan.EXPERIMENT.figures.keys()
    assert all(math.isfinite(v) for v in boosted.values())
    first = [name for name in boosted if name.endswith(", 1 component")]
    assert [boosted[name] for name in first] == [alike[name] for name in first]


def test_the_perfect_sampler_is_perfect():
    figures = adagan.run(Cell(ORACLE, "", 0))
    assert figures["C, 1 component"] == pytest.approx(0.95, abs=0.03)
    assert figures["high quality, 1 component"] == pytest.approx(0.989, abs=0.006)
    assert figures["modes, 1 component"] == 10


def made_up(*, single=0.7, ten=0.99, oracle=0.95, quality=(0.2, 0.25), even=(0.1, 0.02)) -> Results:
    def figures(c, good, kl):
        names = ("C", "high quality", "modes", "reverse KL")
        ends = [(SIZES[0], c[0], good[0], 0.5), (SIZES[-1], c[1], good[1], kl)]
        return {
            adagan._figure(name, size): value
            for size, *values in ends
            for name, value in zip(names, (values[0], values[1], 8.0, values[2]), strict=True)
        }

    return Results(
        {
            Cell(BOOSTED, "", 0): figures((single, ten), quality, even[1]),
            Cell(ALIKE, "", 0): figures((single, 0.9), quality, even[0]),
            Cell(ORACLE, "", 0): figures((oracle, oracle), (0.99, 0.99), 0.0),
        }
    )


def test_the_claims_hold_of_what_is_claimed():
    assert all(check(claim, made_up()).holds for claim in adagan.claims("quick"))


@pytest.mark.parametrize(
    ("change", "refuted"),
    [
        ({"ten": 0.9}, "10 components covers"),
        ({"single": 0.95}, "first GAN alone"),
        ({"oracle": 1.0}, "from above"),
        ({"oracle": 0.8}, "from below"),
        ({"quality": (0.3, 0.1)}, "good samples"),
        ({"even": (0.02, 0.1)}, "more evenly"),
    ],
)
def test_each_claim_can_fail(change, refuted):
    failed = [c.claim for c in adagan.claims("quick") if not check(c, made_up(**change)).holds]
    assert len(failed) == 1
    assert refuted in failed[0]
