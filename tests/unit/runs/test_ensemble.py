"""The run of an ensemble: killed at any moment it comes to the same, and it is used as one model."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pushforward.cli import main
from pushforward.config import config_from
from pushforward.errors import Stopped, UserError
from pushforward.files import read_metrics
from pushforward.models.store import load
from pushforward.report import write_report
from pushforward.runs import ensemble as ensemble_run
from pushforward.runs.data import read_run
from pushforward.runs.reopen import open_run
from pushforward.runs.run import resume, start, train
from pushforward.runs.single import Progress

COMPONENT = {"latent_dim": 2, "hidden": [8]}
OPTIONS = {
    "components": 3,
    "component_options": COMPONENT,
    "classifier_steps": 3,
    "classifier_hidden": [8],
}
PAIR = {**OPTIONS, "components": 2}
SHARED = {
    "data": "digits",
    "limit": 40,
    "steps": 5,
    "batch_size": 8,
    "checkpoint_every": 2,
    "sample_every": 0,
    "validation": 0.0,
}
TOTAL = 15  # steps of all components


class Killed(BaseException):
    """What no handler catches."""


def begin(folder, progress=None, options=OPTIONS, **shared):
    content = {"method": "adagan", "train": {**SHARED, "run": str(folder), **shared}, "options": options}
    return start(config_from(content, where="test"), progress or Progress())


def all_that_matters(folder: Path) -> dict[str, bytes]:
    """Weights and pictures of the mixture and of every component, the data's weights, and every figure."""
    patterns = ("**/model.safetensors", "**/samples/*.png", "**/weights.safetensors")
    files = {str(p.relative_to(folder)): p.read_bytes() for pattern in patterns for p in folder.glob(pattern)}
    for path in folder.glob("**/metrics.jsonl"):
        rows = [{k: v for k, v in row.items() if k != "seconds"} for row in read_metrics(path)]
        files[str(path.relative_to(folder))] = json.dumps(rows).encode()
    return files


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return begin(tmp_path_factory.mktemp("whole") / "run")


def killed_at(step):
    """Progress that dies after so many steps of all components together."""
    seen = 0

    def die(clock):
        nonlocal seen
        seen += 1
        if seen == step:
            raise Killed

    return Progress(step=die)


def assert_same_run(a: Path, b: Path):
    ours, theirs = all_that_matters(a), all_that_matters(b)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []


@pytest.mark.parametrize("step", [1, 5, 6, 8, TOTAL])
def test_killed_inside_a_component_it_resumes_bit_for_bit(whole, tmp_path, step):
    with pytest.raises(Killed):
        begin(tmp_path / "run", killed_at(step))
    torch.randn(10)  # whatever the dead process did to the random state
    resume(tmp_path / "run", {}, Progress())
    assert_same_run(tmp_path / "run", whole)


WRITES = 12  # of an ensemble of two itself: see the test


@pytest.fixture(scope="module")
def whole_pair(tmp_path_factory):
    return begin(tmp_path_factory.mktemp("whole") / "pair", options=PAIR)


@pytest.mark.parametrize("nth", range(1, WRITES + 1))
def test_killed_between_components_it_resumes_bit_for_bit(whole_pair, tmp_path, monkeypatch, nth):
    """Before each file that the ensemble writes: config, mixture, those of each component, card, DONE."""
    count = 0

    def dying(function):
        def called(*args):
            nonlocal count
            count += 1
            if count == nth:
                raise Killed
            function(*args)

        return called

    for name in ("write_durably", "publish"):
        monkeypatch.setattr(ensemble_run, name, dying(getattr(ensemble_run, name)))
    folder = tmp_path / "run"
    with pytest.raises(Killed):
        begin(folder, options=PAIR)
    monkeypatch.undo()
    if (folder / "config.yaml").exists():
        resume(folder, {}, Progress())
    else:
        begin(folder, options=PAIR)
    assert_same_run(folder, whole_pair)
    assert (folder / "DONE").exists()


def test_all_writes_were_tried(tmp_path, monkeypatch):
    count = []
    for name in ("write_durably", "publish"):
        function = getattr(ensemble_run, name)
        monkeypatch.setattr(ensemble_run, name, lambda *a, f=function: (count.append(1), f(*a)))
    begin(tmp_path / "run", options=PAIR)
    assert len(count) == WRITES


def test_a_signal_saves_tells_of_the_ensemble_and_the_run_goes_on(whole, tmp_path):
    folder = tmp_path / "run"
    seen = []

    def stop(clock):
        seen.append(clock)
        if len(seen) == 8:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Stopped, match=f"train --resume {folder}`"):
        begin(folder, Progress(step=stop))
    resume(folder, {}, Progress())
    assert_same_run(folder, whole)


def test_a_signal_while_the_data_are_weighted_stops_before_the_component(whole, tmp_path, monkeypatch):
    folder, compute = tmp_path / "run", ensemble_run.Weighting.to_bytes

    def interrupted(weighting):
        if weighting.weights is not None:
            os.kill(os.getpid(), signal.SIGTERM)
        return compute(weighting)

    monkeypatch.setattr(ensemble_run.Weighting, "to_bytes", interrupted)
    with pytest.raises(Stopped, match=r"before component 2 of 3; continue with `pushforward train --resume"):
        begin(folder)
    monkeypatch.undo()
    assert (folder / "components" / "00" / "DONE").exists()
    resume(folder, {}, Progress())
    assert_same_run(folder, whole)


def test_a_finished_component_is_never_touched_again(tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(Killed):
        begin(folder, killed_at(8))
    done = folder / "components" / "00"
    before = {p: p.stat().st_mtime_ns for p in done.rglob("*")}
    steps = []
    resume(folder, {}, Progress(step=lambda clock: steps.append(clock.step)))
    assert {p: p.stat().st_mtime_ns for p in done.rglob("*")} == before
    assert len(steps) == TOTAL - 7  # the component in hand goes on from its checkpoint at step 2


def test_a_finished_run_says_so(whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "run")
    said = []
    resume(folder, {}, Progress(say=said.append))
    assert "nothing to do" in said[0]
    assert_same_run(folder, whole)


def test_its_first_component_is_a_plain_run(whole, tmp_path):
    plain = train("gan", **SHARED, run=str(tmp_path / "plain"), options=COMPONENT)
    first, alone = (load_file(f / "model.safetensors") for f in (whole / "components" / "00", plain))
    assert all(torch.equal(first[k], alone[k]) for k in alone)


def test_looking_leaves_no_trace(whole, tmp_path):
    often = begin(tmp_path / "often", sample_every=1)
    weights, watched = (load_file(f / "model.safetensors") for f in (whole, often))
    assert all(torch.equal(weights[k], watched[k]) for k in weights)
    assert not (whole / "samples").exists()
    assert len(list((often / "samples").glob("step-*.png"))) == 3


def test_the_folder_holds_what_it_promises(whole):
    content = json.loads((whole / "mixture.json").read_text())
    assert [c["folder"] for c in content["components"]] == [f"components/{i:02d}" for i in range(3)]
    assert [c["weight"] for c in content["components"]] == pytest.approx([1 / 3] * 3)
    assert [c["beta"] for c in content["components"]] == pytest.approx([1, 1 / 2, 1 / 3])
    rows = read_metrics(whole / "metrics.jsonl")
    assert [row["step"] for row in rows] == [5, 10, 15]
    assert [row["images"] for row in rows] == [40, 80, 120]
    assert {"loss/critic", "loss/generator", "info/lambda", "info/effective_data"} <= rows[0].keys()
    assert "info/classifier_accuracy" in rows[1]
    for i in range(3):
        part = read_run(whole / "components" / f"{i:02d}")
        assert (part.method, part.train.steps, part.provenance["component"]) == ("gan", 5, i)
        w = load_file(whole / "components" / f"{i:02d}" / "weights.safetensors").get("weights")
        assert (w is None) == (i == 0)
        assert w is None or (len(w) == 40 and w.sum().item() == pytest.approx(1))


def test_it_is_used_as_one_model(whole, capsys, tmp_path):
    model = load(whole)
    x = model.sample(60, seed=1)
    assert x.shape == (60, 1, 8, 8)
    assert torch.equal(x, model.sample(60, seed=1))
    parts = [load(whole / "components" / f"{i:02d}").algorithm.state_dict() for i in range(3)]
    for i, part in enumerate(parts):
        own = model.algorithm.components[i].state_dict()
        assert all(torch.equal(own[k], part[k]) for k in part)
    main(["sample", str(whole), "--n", "4", "--out", str(tmp_path / "x.png")])
    assert (tmp_path / "x.png").is_file()
    main(["evaluate", str(whole), "--json"])
    assert json.loads(capsys.readouterr().out.splitlines()[-1] or "{}") is not None
    page = write_report(whole).read_text()
    assert "adagan" in page
    assert "Tolstikhin" in page


def test_a_partial_mixture_is_used_and_an_empty_one_says_so(tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(Killed):
        begin(folder, killed_at(12))
    _, model = open_run(folder)
    assert model.algorithm.trained == 2
    assert model.sample(5).shape == (5, 1, 8, 8)
    assert "Not finished: stopped at step 10 of 15" in write_report(folder).read_text()
    with pytest.raises(Killed):
        begin(tmp_path / "early", killed_at(2))
    with pytest.raises(UserError, match="has no model yet"):
        open_run(tmp_path / "early")


def test_minutes_become_as_many_steps_for_every_component(tmp_path):
    folder = begin(tmp_path / "run", options=PAIR, steps=None, minutes=0.001, checkpoint_every=1000)
    steps = [read_run(f).train.steps for f in (folder, *sorted((folder / "components").iterdir()))]
    assert steps[0] >= 1
    assert len(set(steps)) == 1


def test_points_are_boosted_too(tmp_path):
    folder = begin(tmp_path / "run", data="ring", options=PAIR)
    assert load(folder).sample(7).shape == (7, 2)


def test_likelihood_models_are_boosted_too(tmp_path):
    folder = begin(tmp_path / "run", options={**PAIR, "component": "vae"})
    assert load(folder).sample(3).shape == (3, 1, 8, 8)
    assert "loss/vae" in read_metrics(folder / "metrics.jsonl")[1]


def test_what_cannot_be_is_refused_before_anything_is_written(tmp_path):
    for change, message in (
        ({"options": {**OPTIONS, "component": "ae"}}, "AE cannot sample"),
        ({"lr_of": {"vae": 1.0}}, "no player 'vae'"),
        ({"options": {**OPTIONS, "component": "pacgan"}, "batch_size": 7}, "7"),
    ):
        with pytest.raises(UserError, match=message):
            begin(tmp_path / "run", **change)
        assert not (tmp_path / "run").exists()


def test_what_a_resume_may_not_change(whole, tmp_path):
    with pytest.raises(UserError, match="already holds a run; continue it with"):
        begin(whole)
    with pytest.raises(UserError, match=r"--steps: 6, but the components of this ensemble take 5 each"):
        resume(whole, {"steps": 6}, Progress())
    with pytest.raises(UserError, match=r"is a component of an ensemble; continue that with .*--resume"):
        resume(whole / "components" / "01", {}, Progress())
    folder = shutil.copytree(whole, tmp_path / "run")
    (folder / "DONE").unlink()
    path = folder / "config.yaml"
    path.write_text(path.read_text().replace("components: 3", "components: 4"))
    with pytest.raises(UserError, match=r"does not fit .*options.components: 4 asked, 3 in the run"):
        resume(folder, {}, Progress())
    path.write_text(
        path.read_text().replace("components: 4", "components: 3").replace("limit: 40", "limit: 39")
    )
    with pytest.raises(UserError, match=r"train.limit: 39 asked, 40 in the run"):
        resume(folder, {}, Progress())
