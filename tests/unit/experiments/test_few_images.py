"""What `few-images` trains, measures, claims and draws, on a handful of images and by made-up figures."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from pushforward.data import load_splits
from pushforward.experiments.few_images import EXPERIMENT, measure
from pushforward.experiments.few_images.checks import choice
from pushforward.experiments.few_images.rows import DA, DAG, KNOBS, NONE, ROWS, SECONDS, asked
from pushforward.experiments.harness.experiment import Cell, Results
from pushforward.recipes.rs_imle import RSIMLERecipe

OF_MODELS = set(EXPERIMENT.figures) - {measure.KID_ALIKE}


@pytest.fixture
def digits(monkeypatch):
    """Digits of 16 pixels in place of every set, judged by pixels."""

    def load(name, **asked):
        splits = load_splits("digits", image_size=16)
        return dataclasses.replace(
            splits, train=splits.train.subset(range(240)), test=splits.test.subset(range(40))
        )

    monkeypatch.setattr(measure, "load_splits", load)
    monkeypatch.setattr(measure, "JUDGE", "pixels")
    monkeypatch.setattr(measure, "OTHER", "pixels")
    monkeypatch.setattr(measure, "SIDE", 16)


def small(label: str) -> Cell:
    told = asked(label, "quick")
    told["options"] = {**told["options"], "width": 4}
    if told["method"] == "rs-imle":
        told["options"]["pool"] = 32
    told |= {"steps": 2, "batch": 8, "alike": 1, "data": "any", "n": 40}
    return Cell(label, "", 0, told)


@pytest.mark.parametrize("label", [row for row in (*ROWS, *KNOBS) if row != "projected"])  # from 32 pixels
def test_a_row_trains_and_gives_every_figure(digits, label):
    figures = measure.measured(small(label))
    assert set(figures) == OF_MODELS | {measure.KID_ALIKE}
    assert all(math.isfinite(value) for value in figures.values())


def test_references_are_measured_without_a_model(digits):
    told = {"data": "any", "n": 40}
    real, copies = (measure.measured(Cell(name, "", 0, told)) for name in (measure.REAL, measure.COPIES))
    assert set(real) == OF_MODELS - {measure.COST}
    assert set(copies) == set(real) - {measure.GAP}
    assert real[measure.KID] < measure.measured(small(NONE))[measure.KID]


def test_images_are_drawn_by_the_seed_and_shared_by_nobody(digits):
    first, again, other = (measure.images_of("any", 40, seed) for seed in (0, 0, 1))
    assert torch.equal(first.train.x, again.train.x)
    assert not torch.equal(first.train.x, other.train.x)
    assert torch.equal(first.held_out.x, other.held_out.x)
    rows = {part.tobytes() for part in first.train.x.numpy()}
    assert not rows & {part.tobytes() for part in first.others.x.numpy()}


def test_a_start_is_the_weights_of_the_earlier_run(digits, monkeypatch):
    starts = []
    kept = measure.Training.reports

    def reports(self):
        starts.append({k: v.clone() for k, v in self.algorithm.state_dict().items()})
        yield from kept(self)
        starts.append({k: v.clone() for k, v in self.algorithm.state_dict().items()})

    monkeypatch.setattr(measure.Training, "reports", reports)
    measure.measured(small("from digits"))
    before, earlier, start, _ = starts
    assert all(torch.equal(earlier[key], start[key]) for key in earlier)
    assert any(not torch.equal(before[key], earlier[key]) for key in earlier)


def test_all_rows_have_the_same_time():
    for label, row in ROWS.items():
        seconds = asked(label, "quick")["steps"] * row.milliseconds / 1000
        assert seconds == pytest.approx(SECONDS["quick"], rel=0.01)
    assert asked("RS-IMLE", "quick")["options"].keys() <= {
        field.name for field in dataclasses.fields(RSIMLERecipe)
    }


def made_up(**kids: tuple[float, float, float]) -> Results:
    """Results where KID is as told, in the order of seeds, and the rest follows from the row."""
    figures = {}
    for cell in EXPERIMENT.cells("quick", range(3)):
        kid = kids.get(cell.method.replace(", ", "_").replace(" ", "_"), (10.0, 11.0, 12.0))[cell.seed]
        leak = 9.0 if cell.method == DA else 0.0
        kid = 0.0 if cell.method == measure.REAL else kid
        figures[cell] = dict.fromkeys(EXPERIMENT.figures, kid) | {measure.LEAK: leak}
    return Results(figures)


def told(results: Results) -> dict[str, float]:
    return {claim.claim: claim.value(results) for claim in EXPERIMENT.claims("quick")}


def test_ahead_is_counted_in_spreads_of_the_difference_seed_by_seed():
    ahead = [v for k, v in told(made_up(DAG_turns=(5.0, 7.0, 9.0))).items() if "DAG's turns: nearer" in k]
    assert ahead == [pytest.approx(4.0)] * 2  # 5, 4 and 3
    level = [v for k, v in told(made_up()).items() if "DAG's turns: nearer" in k]
    assert level == [0.0, 0.0]


def test_the_choice_is_the_row_of_the_best_rank_and_its_lag_is_counted():
    results = made_up(ADA=(1.0, 2.0, 4.0), APA=(0.0, 0.5, 2.0))
    assert choice(results) == "ADA"  # APA is not run with 1,000 images
    behind = [v for k, v in told(results).items() if "best mean rank" in k]
    assert behind == [pytest.approx(1.5 / 0.5)]  # 1, 1.5 and 2


def test_the_picture_shows_every_row():
    canvas = EXPERIMENT.plot(made_up(ADA=(1.0, 2.0, 3.0)))
    few = [text.get_text() for text in canvas.axes[0].get_yticklabels()]
    assert few[0] == NONE
    assert DAG in few
    assert len(canvas.axes) == 4
