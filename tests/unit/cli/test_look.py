"""sample, reconstruct, translate, traverse, evaluate and report as a user meets them."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from pushforward.cli import main

COMMANDS = ("sample", "reconstruct", "translate", "traverse", "evaluate", "report")


def said(capsys, *words: str) -> dict:
    """What a command prints as JSON."""
    main([*map(str, words), "--json"])
    return json.loads(capsys.readouterr().out)


def fails(capsys, *words: str) -> str:
    with pytest.raises(SystemExit) as stop:
        main([str(w) for w in words])
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert error.count("\n") == 1, error
    return error


def test_importing_the_commands_does_not_import_torch():
    names = ", ".join(f"pushforward.cli.{c}" for c in COMMANDS)
    code = f"import sys, {names}; assert not {{'torch', 'matplotlib', 'numpy'}} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert f"pushforward {command} runs/" in " ".join(capsys.readouterr().out.split())


def test_samples_go_to_a_picture_an_array_or_a_folder(finished_run, tmp_path, capsys):
    facts = said(
        capsys,
        "sample",
        finished_run,
        "--n",
        "6",
        "--columns",
        "3",
        "--scale",
        "1",
        "--out",
        tmp_path / "a.png",
    )
    assert facts["n"] == 6
    with Image.open(facts["out"]) as picture:
        assert picture.size == (3 * 10 + 2, 2 * 10 + 2)
    array = said(capsys, "sample", finished_run, "--n", "6", "--out", tmp_path / "new" / "a.npz")["out"]
    images = np.load(array)["images"]
    assert (images.shape, images.dtype) == ((6, 8, 8, 3), np.uint8)
    folder = said(capsys, "sample", finished_run, "--n", "6", "--out", f"{tmp_path / 'many'}/")["out"]
    files = sorted(p.name for p in (tmp_path / "many").iterdir())
    assert files == [f"{i:05d}.png" for i in range(6)]
    assert np.array_equal(np.asarray(Image.open(f"{folder}/00004.png")), images[4])
    assert not list(tmp_path.glob(".partial*"))


def test_the_same_seed_gives_the_same_samples(finished_run, tmp_path, capsys):
    arrays = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        said(capsys, "sample", finished_run, "--n", "3", "--seed", seed, "--out", tmp_path / f"{name}.npz")
        arrays.append(np.load(tmp_path / f"{name}.npz")["images"])
    assert np.array_equal(arrays[0], arrays[1])
    assert not np.array_equal(arrays[0], arrays[2])


def test_reconstructions_come_from_the_held_out_images_or_from_others(finished_run, photos, tmp_path, capsys):
    own = said(capsys, "reconstruct", finished_run, "--n", "5", "--out", tmp_path / "own.png")
    assert (own["split"], own["n"], len(own["errors"]), own["notes"]) == ("test", 5, 5, [])
    assert len(set(own["images"])) == 5
    other = said(
        capsys, "reconstruct", finished_run, "--data", photos, "--n", "500", "--out", tmp_path / "b.png"
    )
    assert (other["split"], other["n"]) == ("all", 120)
    assert all(0 < e < 1 for e in other["errors"])


def test_a_mean_reconstruction_has_a_standard_error_that_falls_with_the_draws(finished_run, tmp_path, capsys):
    def drawn(samples):
        words = ("--n", "5", "--samples", samples, "--out", tmp_path / "mean.png")
        return said(capsys, "reconstruct", finished_run, *words)

    one, few, many = drawn(1), drawn(20), drawn(320)
    assert one["standard_errors"] is None
    assert (few["samples"], len(few["standard_errors"])) == (20, 5)
    ratio = sum(few["standard_errors"]) / sum(many["standard_errors"])
    assert ratio == pytest.approx(4, rel=0.3)
    main(["reconstruct", str(finished_run), "--samples", "5", "--out", str(tmp_path / "mean.png")])
    assert "the mean of 5 draws, Monte Carlo standard error 0." in capsys.readouterr().out


@pytest.mark.parametrize(("rung", "name"), [("ais", "ais-4"), ("prior", "prior-30")])
def test_the_other_rungs_of_the_ladder(rung, name, finished_run, capsys, monkeypatch):
    monkeypatch.setattr("pushforward.cli.evaluate.COSTLY_IMAGES", 3)
    options = {"ais": ("--temperatures", "4", "--chains", "2"), "prior": ("--k", "30")}[rung]
    facts = said(capsys, "evaluate", finished_run, "--cheap", "--likelihood", rung, *options)
    assert (facts["n"], facts["likelihood"]) == (3, rung)
    assert {name, "effective_draws", "monte_carlo_error"} <= {m["name"] for m in facts["metrics"]}
    assert any(note.startswith(f"{rung} is costly, so on 3 of 5 images") for note in facts["notes"])
    assert (
        said(capsys, "evaluate", finished_run, "--cheap", "--likelihood", rung, "--limit", "4", *options)["n"]
        == 4
    )


def test_traversals_put_the_most_active_dimension_first(finished_run, tmp_path, capsys):
    facts = said(
        capsys, "traverse", finished_run, "--steps", "5", "--range", "2", "--out", tmp_path / "t.png"
    )
    assert sorted(facts["dims"]) == [0, 1, 2, 3]
    assert facts["kl"] == sorted(facts["kl"], reverse=True)
    assert facts["positions"] == [-2, -1, 0, 1, 2]
    chosen = said(
        capsys, "traverse", finished_run, "--dims", "3", "1", "--image", "0", "--out", tmp_path / "u.png"
    )
    assert chosen["dims"] == [3, 1]


def test_an_evaluation_keeps_its_contract(finished_run, capsys):
    facts = said(capsys, "evaluate", finished_run, "--k", "5", "--cheap")
    assert {"run", "checkpoint", "split", "n", "metrics", "skipped"} <= facts.keys()
    row = {"name", "value", "ci95", "floor", "unit", "higher_is_better", "features"}
    assert all(m.keys() == row for m in facts["metrics"])
    assert (facts["split"], facts["checkpoint"], facts["k"]) == ("test", "last", 5)
    assert all(  # it was hardly trained, on few images
        "draws carry the estimate" in note or "more images tell more" in note for note in facts["notes"]
    )
    names = [m["name"] for m in facts["metrics"]]
    bounds = ["elbo", "iwae-5", "bits/dimension", "effective_draws", "monte_carlo_error"]
    told = ["information", "information_upper", "aggregate_gap"]
    assert names == [*bounds, "kl", "active_units", *told, "reconstruction_error", "sharpness"]
    assert next(m for m in facts["metrics"] if m["name"] == "reconstruction_error")["floor"] == 0
    assert len(facts["detail"]["kl_per_dimension"]) == 4


def test_splits_are_those_of_the_training(finished_run, capsys):
    n = {
        s: said(capsys, "evaluate", finished_run, "--k", "1", "--cheap", "--split", s)["n"]
        for s in ("train", "validation", "test")
    }
    assert sum(n.values()) == 120
    assert n["validation"] == round(0.2 * (n["train"] + n["validation"]))
    assert said(capsys, "evaluate", finished_run, "--k", "1", "--cheap", "--limit", "4")["n"] == 4


def test_people_get_a_table(finished_run, capsys):
    main(["evaluate", str(finished_run), "--k", "2", "--cheap", "--split", "train"])
    out = capsys.readouterr().out
    assert "iwae-2" in out
    assert "nats/im" in out
    assert "train images of" in out


def test_a_report_may_go_elsewhere(finished_run, tmp_path, capsys):
    out = said(capsys, "report", finished_run, "--out", tmp_path / "deep" / "page.html")["out"]
    assert (tmp_path / "deep" / "page.html").read_text().startswith("<!doctype html>")
    assert out == str(tmp_path / "deep" / "page.html")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_run_is_named(command, tmp_path, capsys):
    assert "there is no folder" in fails(capsys, command, tmp_path / "nowhere")
    assert "no run folder" in fails(capsys, command, tmp_path)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["sample", "RUN", "--n", "0"], "--n: 0"),
        (["sample", "RUN", "--out", "x.jpg"], "x.jpg"),
        (["sample", "RUN", "--scale", "0"], "--scale: 0"),
        (["reconstruct", "RUN", "--out", "x.npz"], "such as x.png"),
        (["reconstruct", "RUN", "--data", "nosuchset"], "--data nosuchset"),
        (["traverse", "RUN", "--dims", "4"], "from 0 to 3"),
        (["traverse", "RUN", "--range", "0"], "--range"),
        (["traverse", "RUN", "--image", "999"], "--image: 999"),
        (["reconstruct", "RUN", "--samples", "0"], "--samples: 0"),
        (["evaluate", "RUN", "--k", "0"], "--k: 0"),
        (["evaluate", "RUN", "--likelihood", "ais", "--chains", "0"], "--chains: 0"),
        (["evaluate", "RUN", "--temperatures", "0"], "--temperatures: 0"),
        (["report", "RUN", "--out", "x.pdf"], "x.html"),
    ],
)
def test_mistakes_are_named(words, says, finished_run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert says in fails(capsys, *[finished_run if w == "RUN" else w for w in words])
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_cannot_be_written_is_named(finished_run, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for command in ("sample", "reconstruct", "traverse"):
        assert "cannot write" in fails(capsys, command, finished_run, "--out", tmp_path / "file" / "x.png")
    assert "cannot write" in fails(capsys, "report", finished_run, "--out", tmp_path / "file" / "x.html")


def test_a_folder_that_holds_something_is_left_alone(finished_run, tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    assert "not empty" in fails(capsys, "sample", finished_run, "--out", f"{tmp_path}/")
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_a_method_that_cannot_is_told_so(photos, tmp_path, capsys):
    main(["train", "ae", f"--data={photos}", f"--run={tmp_path / 'ae'}", "--steps=2", "--latent-dim=2"])
    capsys.readouterr()
    error = fails(capsys, "sample", tmp_path / "ae")
    assert "'ae'" in error
    assert "sample" in error
    facts = said(capsys, "evaluate", tmp_path / "ae", "--cheap")
    assert [m["name"] for m in facts["metrics"]] == ["reconstruction_error"]
    assert {"elbo", "ln p(x)", "kl", "information"} <= {s["name"] for s in facts["skipped"]}
    assert "no posterior to draw from" in fails(capsys, "reconstruct", tmp_path / "ae", "--samples", "2")
    assert said(capsys, "traverse", tmp_path / "ae")["kl"] is None


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["sample", "--n", "1000000000"], "--n: 1000000000; expected at most"),
        (["sample", "--n", "100000000"], "GiB are free"),
        (["sample", "--seed", "-1"], "--seed: -1"),
        (["sample", "--seed", str(2**64)], "--seed: 18446744073709551616"),
        (["sample", "--columns", "1000000"], "--columns: 1000000; expected at most 1,000"),
        (["sample", "--scale", "100000"], "--scale: 100000; expected at most 64"),
        (["evaluate", "--k", "1000000000"], "--k: 1000000000; expected at most"),
        (["evaluate", "--seed", "-1"], "--seed: -1"),
        (["traverse", "--steps", "1000000000"], "--steps: 1000000000; expected at most"),
        (["traverse", "--range", "inf"], "--range: inf"),
        (["traverse", "--range", "nan"], "--range: nan"),
    ],
)
def test_what_is_beyond_reason_is_one_line_and_nothing_is_written(words, told, finished_run, capsys):
    before = sorted(path.name for path in finished_run.iterdir())
    with pytest.raises(SystemExit) as stop:
        main([words[0], str(finished_run), *words[1:]])
    line = capsys.readouterr().err
    assert (stop.value.code, line.count("\n")) == (2, 1)
    assert told in line
    assert sorted(path.name for path in finished_run.iterdir()) == before


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA out of memory. Tried to allocate 9 GiB"),
    ],
)
def test_out_of_memory_is_one_line_with_what_to_lower(error, monkeypatch, capsys):
    def fail(argv):
        raise error

    monkeypatch.setattr("pushforward.cli.sample.run", fail)
    with pytest.raises(SystemExit) as stop:
        main(["sample", "x"])
    line = capsys.readouterr().err
    assert (stop.value.code, line.count("\n")) == (1, 1)
    assert "Lower --batch-size" in line


def test_a_mistyped_run_is_answered_with_the_nearest(finished_run, capsys, monkeypatch):
    monkeypatch.chdir(finished_run.parent)
    with pytest.raises(SystemExit) as stop:
        main(["sample", f"{finished_run.name}x"])
    assert stop.value.code == 2
    assert f"perhaps you meant '{finished_run.name}'" in capsys.readouterr().err


def test_a_model_of_images_that_are_not_square_brings_others_to_its_size(tmp_path, capsys):
    rng = np.random.default_rng(0)
    for folder, size in (("own", (12, 20)), ("others", (30, 30))):
        (tmp_path / folder).mkdir()
        for i in range(24):
            pixels = rng.integers(0, 255, (*size, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{i}.png")
    run = tmp_path / "r"
    main(
        [
            "train",
            "vae",
            f"--data={tmp_path / 'own'}",
            "--steps=2",
            "--batch-size=4",
            "--hidden=8",
            f"--run={run}",
        ]
    )
    capsys.readouterr()
    facts = said(capsys, "evaluate", run, "--cheap", "--data", tmp_path / "others")
    assert "24 × resized" in json.dumps(facts, ensure_ascii=False)


def test_distances_are_named_by_their_features_and_stand_beside_real_images(finished_run, capsys):
    main(["evaluate", str(finished_run), "--k", "2", "--samples", "20", "--features", "pixels"])
    out = capsys.readouterr().out
    assert "on pixels" in out
    assert "vendi[pixels]" not in out  # the heading says it
    facts = json.loads((finished_run / "evaluation.json").read_text())
    told = {m["name"]: m for m in facts["metrics"]}
    assert told["vendi[pixels]"]["floor"] > 0
    assert told["vendi[pixels]"]["features"] == "pixels"
    assert "inversion_error" in told
