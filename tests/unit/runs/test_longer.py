"""A run that goes on: longer, from elsewhere, or not at all. Nothing jumps untold."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
import yaml

from pushforward import load
from pushforward.cli import main
from pushforward.core import Clock
from pushforward.training.checkpoint import newest_checkpoint
from pushforward.training.minutes import lengthen
from tests.unit.data.pictures import folder_of

VAE = ["train", "vae", "--data=digits", "--hidden=8", "--latent-dim=2", "--sample-every=0", "--batch-size=16"]
COSINE = [*VAE, "--lr-schedule=cosine"]
GAN = ["train", "gan", "--data=ring", "--hidden=8", "--latent-dim=2", "--noise=0.5", "--sample-every=0"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pushforward.report.write_report", lambda folder: folder / "report.html")
    return tmp_path


def said(capsys, *words):
    capsys.readouterr()
    main(list(words))
    return capsys.readouterr().err


def refused(capsys, *words):
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    assert stop.value.code == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    return line


def steps(folder):
    return [json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


def clock(folder):
    return newest_checkpoint(folder / "checkpoints")[1].values["clock"]


def test_a_schedule_ends_where_it_was_to_end_and_says_so(here, capsys):
    main([*GAN, "--steps=6", "--run=r"])
    told = said(capsys, "train", "--resume", "r", "--steps", "9")
    assert "stay laid out for 6 steps and keep their last values" in told
    assert "--restart-schedule" in told
    assert clock(here / "r")["until"] == 6


def test_a_schedule_runs_anew_where_that_is_asked_for(here, capsys):
    main([*COSINE, "--steps=6", "--run=r"])
    line = refused(capsys, "train", "--resume", "r", "--steps", "9")
    assert "have fallen to 0 at step 6" in line
    assert "--restart-schedule" in line
    assert yaml.safe_load((here / "r/config.yaml").read_text())["train"]["steps"] == 6
    told = said(capsys, "train", "--resume", "r", "--steps", "9", "--restart-schedule")
    assert "run anew over the 3 steps to come" in told
    assert (clock(here / "r")["since"], clock(here / "r")["until"]) == (6, 9)


def test_without_a_schedule_two_parts_are_one_run_and_nothing_is_said(here, capsys):
    main([*VAE, "--steps=6", "--run=r"])
    assert "schedule" not in said(capsys, "train", "--resume", "r", "--steps", "9")
    main([*VAE, "--steps=9", "--run=once"])
    assert (here / "r/model.safetensors").read_bytes() == (here / "once/model.safetensors").read_bytes()


def test_a_run_of_minutes_gets_more_minutes(here, capsys):
    main([*VAE, "--minutes=0.001", "--run=r"])
    before = clock(here / "r")["step"]
    told = said(capsys, "train", "--resume", "r", "--minutes", "0.001")
    assert "minutes are" in told
    assert clock(here / "r")["step"] > before
    now = clock(here / "r")["step"]
    said(capsys, "train", "--resume", "r", "--steps", str(now + 2))
    assert clock(here / "r")["step"] == now + 2


def test_the_fraction_of_a_longer_run_never_jumps():
    plain = Clock(step=6, steps=6)
    assert plain.fraction == 1
    plain.steps = 12
    assert plain.fraction == 0.5  # what an untold jump would be
    assert lengthen(plain, 6, restart=False)
    assert plain.fraction == 1
    again = Clock(step=6, steps=12, scheduled=True)
    lengthen(again, 6, restart=True)
    assert again.fraction == 0
    again.step = 9
    assert again.fraction == 0.5
    unscheduled = Clock(step=6, steps=12)
    assert lengthen(unscheduled, 6, restart=False) == ""


def test_a_finished_model_is_never_written_over(here, capsys):
    """Its checkpoints were deleted by hand."""
    main([*VAE, "--steps=6", "--run=r"])
    before = (here / "r/model.safetensors").read_bytes()
    shutil.rmtree(here / "r/checkpoints")
    (here / "r/DONE").unlink()
    assert "has a model but no checkpoint" in refused(capsys, "train", "--resume", "r")
    assert (here / "r/model.safetensors").read_bytes() == before


def test_what_is_lost_is_said_and_each_row_is_there_once(here, capsys):
    main([*VAE, "--steps=8", "--checkpoint-every=2", "--validation=0.1", "--run=r"])
    for name in ("step-0000006", "step-0000008"):
        shutil.rmtree(here / "r/checkpoints" / name)
    (here / "r/DONE").unlink()
    whole = steps(here / "r")
    told = said(capsys, "train", "--resume", "r")
    assert "resumed r at step 0; 8 steps after it are done again" in told
    assert steps(here / "r") == whole


def test_restarting_a_schedule_belongs_to_a_resume(here, capsys):
    assert "give it with --resume RUN" in refused(capsys, *VAE, "--restart-schedule")


# -- data that lie elsewhere -------------------------------------------------------------------------


PHOTOS = ["train", "vae", "--data=photos", "--image-size=8", "--hidden=8", "--latent-dim=2", "--batch-size=4"]


@pytest.fixture
def photos(here):
    folder_of(here / "photos", [f"{i}.png" for i in range(24)])
    main([*PHOTOS, "--steps=4", "--run=r"])
    return here


def test_paths_are_kept_from_the_root_and_the_config_runs_anywhere(photos, monkeypatch, capsys):
    config = yaml.safe_load((photos / "r/config.yaml").read_text())
    assert config["train"]["data"] == str(photos / "photos")
    (photos / "sub").mkdir()
    monkeypatch.chdir(photos / "sub")
    main(["train", "--config", "../r/config.yaml", "--run", "again"])
    assert torch.equal(load("again").sample(3), load("../r").sample(3))
    main(["evaluate", "../r", "--json"])


def test_a_run_follows_its_data(photos, capsys):
    (photos / "photos").rename(photos / "moved")
    assert "photos: no such file or folder" in refused(capsys, "train", "--resume", "r", "--steps", "6")
    said(capsys, "train", "--resume", "r", "--steps", "6", "--data", "moved")
    config = yaml.safe_load((photos / "r/config.yaml").read_text())
    assert config["train"]["data"] == str(photos / "moved")
    said(capsys, "train", "--resume", "r", "--steps", "8")


def test_a_run_does_not_follow_other_data(photos, capsys):
    folder_of(photos / "others", [f"{i}.png" for i in range(30)])
    line = refused(capsys, "train", "--resume", "r", "--steps", "6", "--data", "others")
    assert "train_fingerprint" in line


def test_evaluate_takes_data_that_moved_for_the_runs_own(photos, capsys):
    (photos / "photos").rename(photos / "moved")
    capsys.readouterr()
    main(["evaluate", "r", "--data", "moved", "--json"])
    assert json.loads(capsys.readouterr().out)["split"] == "test"


def test_a_relative_path_is_told_with_where_it_was_looked_for(here, capsys):
    assert f"no such file or folder in {here}" in refused(capsys, "train", "vae", "--data", "nowhere")
