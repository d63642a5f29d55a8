"""A start that comes to nothing: one line, nothing written, and nothing of the user's removed."""

from __future__ import annotations

import pytest

from pushforward.cli import main
from pushforward.errors import UserError
from pushforward.files import MetricsLog, read_metrics
from pushforward.runs.run import train
from tests.unit.data.pictures import folder_of

SMALL = ["--hidden=8", "--latent-dim=2", "--steps=2", "--image-size=8", "--sample-every=0"]


@pytest.fixture
def few(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder_of(tmp_path / "few", [f"{i}.png" for i in range(6)])
    return tmp_path


def refused(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    assert stop.value.code == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    return line


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["gan", "--pack", "8", "--batch-size", "8"], "--pack: 8 at once, but there are"),
        (["vae", "--steps", "9" * 30], "--steps:"),
        (["gan", "--generator-norm", "batch", "--batch-size", "1"], "--batch-size: 1 for a process"),
        (["vae", "--device", "cpu:7"], "--device: 'cpu:7'"),
        (["vae", "--run", "n" * 300], "--run: a name of 300 characters"),
        (["vae", "--run", "n/" * 2000], "--run: a name of 4,000 characters"),
        (["vae", "--data", "d" * 300], "--data"),
        (["vae", "--data", "d/" * 2000], "--data"),
    ],
)
def test_it_is_one_line_before_anything_is_written(words, told, few, capsys):
    method, *rest = words
    assert told in refused(capsys, "train", method, "--data", "few", *SMALL, *rest)
    assert [path.name for path in few.iterdir()] == ["few"]


def test_an_empty_folder_that_the_user_made_stays(few, capsys):
    for name in ("mine", "runs"):
        (few / name).mkdir()
    refused(capsys, "train", "vae", "--data", "few", *SMALL, "--lr.nobody", "1", "--run", "mine")
    refused(capsys, "train", "vae", "--data", "few", *SMALL, "--lr.nobody", "1")
    assert sorted(path.name for path in few.iterdir()) == ["few", "mine", "runs"]
    assert not list((few / "runs").iterdir())
    refused(capsys, "train", "vae", "--data", "few", *SMALL, "--lr.nobody", "1", "--run", "new/run")
    assert not (few / "new").exists()


def test_what_is_no_number_is_not_logged(tmp_path):
    log = MetricsLog(tmp_path / "m.jsonl")
    log.append({"step": 1, "info/a": float("nan"), "info/b": float("inf"), "loss/x": 2.0})
    assert read_metrics(tmp_path / "m.jsonl") == [{"step": 1, "loss/x": 2.0}]
    (tmp_path / "m.jsonl").write_text('{"step": 1, "info/a": NaN, "loss/x": 2.0}\n')  # as before
    assert read_metrics(tmp_path / "m.jsonl") == [{"step": 1, "info/a": None, "loss/x": 2.0}]


def test_python_names_where_an_option_belongs_and_takes_paths(few):
    with pytest.raises(UserError, match=r"latent_dim: an option of 'vae'; give options=\{'latent_dim'"):
        train("vae", latent_dim=4)
    options = {"hidden": (8,), "latent_dim": 2}
    run = train("vae", data=few / "few", run=few / "r", steps=1, image_size=8, options=options)
    assert run == few / "r"
