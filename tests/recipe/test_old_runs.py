"""Run folders that version 0.1.0 made (commit ee24b27) resume, load and are reported.

`tests/old/METHOD.zip` holds a run as it was after step 6 of 12, and the weights that it went on to. Here they
are met to rounding, since another processor adds in another order; on the one that made them, to the bit.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pushforward import load
from pushforward.report import write_report
from pushforward.runs.data import read_run
from pushforward.runs.run import resume
from pushforward.runs.single import Progress

OLD = Path(__file__).parents[1] / "old"


@pytest.fixture(params=sorted(p.stem for p in OLD.glob("*.zip")))
def run(request, tmp_path) -> Path:
    folder = tmp_path / request.param
    with zipfile.ZipFile(OLD / f"{request.param}.zip") as file:
        file.extractall(folder)
    return folder


@pytest.mark.filterwarnings("ignore:.*is called 'discrete-vae' now")
def test_it_resumes_to_the_weights_that_it_had_then(run):
    resume(run, {}, Progress())
    ours, theirs = load_file(run / "model.safetensors"), load_file(run / "expected.safetensors")
    assert ours.keys() == theirs.keys()
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-4, atol=1e-5)
    assert (run / "DONE").is_file()
    assert "<h1" in write_report(run).read_text()


@pytest.mark.filterwarnings("ignore:.*is called 'discrete-vae' now")
def test_its_model_loads(run):
    (run / "expected.json").rename(run / "model.json")
    (run / "expected.safetensors").rename(run / "model.safetensors")
    samples = load(run).sample(3, seed=0)
    assert samples.shape == (3, 1, 8, 8)
    assert samples.isfinite().all()


def test_what_is_now_another_method_says_so(tmp_path):
    with zipfile.ZipFile(OLD / "vae.zip") as file:
        file.extract("config.yaml", tmp_path)
        assert json.loads(file.read("expected.json"))["method"] == "vae"
    with pytest.warns(UserWarning, match="'vae' with these options is called 'discrete-vae' now"):
        assert read_run(tmp_path).method == "discrete-vae"
