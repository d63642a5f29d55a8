"""Validation looks at what codes say, and gives the cure where that is nothing."""

from __future__ import annotations

import pytest
import torch

from pushforward.core import Clock, Snapshot
from pushforward.data import Dataset
from pushforward.evaluation import evaluate
from pushforward.observers.validation import Validation
from tests.runs import SHAPE, build, small_images
from tests.unit.gaussian_model import exact_model, pictures


def observed(algorithm, images, tmp_path, **options):
    snapshot = Snapshot(algorithm, Clock(step=1), tmp_path, torch.device("cpu"))
    return Validation(Dataset.of(images), every=1, **options).observe(snapshot)


def test_it_measures_what_evaluation_measures(tmp_path):
    model = exact_model()
    seen = observed(model.algorithm, pictures(), tmp_path)
    measured = evaluate(model, Dataset.of(pictures()), k=1)
    error = measured.find("information").ci95
    assert seen.metrics["information"] == pytest.approx(measured.find("information").value, abs=2 * error)
    assert seen.findings == ()


def test_a_dead_code_is_critical_and_its_cure_is_the_runs(tmp_path):
    algorithm = build("vae", SHAPE).eval()
    for parameter in algorithm.encoder[-1].parameters():
        parameter.data.zero_()
    seen = observed(algorithm, small_images().x, tmp_path, cure="--free-bits 0.1")
    (finding,) = seen.findings
    assert (finding.severity, finding.command) == ("critical", "--free-bits 0.1")
    assert "`warm_up`" in finding.advice
    assert seen.metrics["information"] == pytest.approx(0, abs=1e-6)
    assert "z tells 0.00 nats of the image" in finding.evidence


def test_codes_that_are_not_gaussian_are_looked_at_without_it(tmp_path):
    seen = observed(build("discrete-vae, annealed").eval(), small_images().x, tmp_path)
    assert "information" not in seen.metrics


def test_nothing_is_a_finding_in_the_first_quarter(tmp_path):
    algorithm = build("vae", SHAPE).eval()
    for parameter in algorithm.encoder[-1].parameters():
        parameter.data.zero_()
    for step, found in ((24, 0), (25, 1)):
        snapshot = Snapshot(algorithm, Clock(step=step, steps=100), tmp_path, torch.device("cpu"))
        assert len(Validation(small_images(), every=1).observe(snapshot).findings) == found
