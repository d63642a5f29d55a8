"""One folder of all streams: trainA, trainB, testA, testB."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pushforward.cli import main
from pushforward.config import RunConfig, config_from, read_config
from pushforward.data.layout import domains_of
from pushforward.errors import UserError
from pushforward.runs.data import read_run
from pushforward.runs.places import divide_by_stream, named_after
from pushforward.runs.reopen import images_for, open_run
from tests.two_streams import registered


@pytest.fixture(autouse=True, scope="module")
def toys():
    with registered():
        yield


def folder_of(root: Path, *parts: str, n: int = 12) -> Path:
    """Parts of a few grey images each, all different."""
    for part in parts:
        (root / part).mkdir(parents=True)
        for i in range(n):
            pixels = np.random.default_rng([i, *part.encode()]).integers(0, 256, (8, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(root / part / f"{i}.png")
    return root


def asked(method: str = "toy", **train) -> RunConfig:
    return config_from({"method": method, "train": train}, where="test")


def test_a_folder_of_four_parts_is_trained_on_and_held_out(tmp_path, monkeypatch, capsys):
    root = folder_of(tmp_path / "horse2zebra", "trainA", "trainB", "testA", "testB")
    monkeypatch.chdir(tmp_path)
    main(["train", "toy", "--data", "horse2zebra", "--steps=2", "--batch-size=4"])
    run = tmp_path / "runs" / "toy-horse2zebra"
    config, model = open_run(run)
    assert config.train.data is None
    assert config.sources == {"a": str(root / "trainA"), "b": str(root / "trainB")}
    assert config.tests == {"a": str(root / "testA"), "b": str(root / "testB")}
    for stream in ("a", "b"):
        told = config.provenance["data"][stream]
        assert (told["train_images"], told["test_images"]) == (12, 12)
        assert len(images_for(config, model, stream=stream).data) == 12
    main(["report", str(run)])
    page = (run / "report.html").read_text()
    assert f"--data.a {root / 'trainA'} --data.b {root / 'trainB'}" in page


def test_a_run_goes_on_where_its_folder_lies_now(tmp_path, capsys):
    root = folder_of(tmp_path / "old", "trainA", "trainB", "testA")
    run = tmp_path / "run"
    main(["train", "toy", f"--data={root}", "--steps=2", "--batch-size=4", f"--run={run}"])
    shutil.move(root, tmp_path / "new")
    main(["train", "--resume", str(run), f"--data={tmp_path / 'new'}", "--steps=4"])
    config = read_run(run)
    assert config.sources["b"] == str(tmp_path / "new" / "trainB")
    assert config.tests == {"a": str(tmp_path / "new" / "testA"), "b": None}
    with pytest.raises(SystemExit):
        main(["train", "--resume", str(run), f"--data={tmp_path}", "--steps=6"])
    assert f"--data: {tmp_path}, but for which stream?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("parts", "held"),
    [
        (("trainA", "trainB"), {}),
        (("train_a", "train_b", "test_b"), {"b": "test_b"}),
        (("trainA", "trainB", "valA", "testA", "valB"), {"a": "testA", "b": "valB"}),
        (("trainA", "trainB", "notes", "trainC"), {}),
    ],
)
def test_parts_are_found_by_the_names_that_folders_have(parts, held, tmp_path):
    for part in parts:
        (tmp_path / part).mkdir()
    config = asked(data=str(tmp_path))
    divide_by_stream(config)
    assert config.sources == {"a": str(tmp_path / parts[0]), "b": str(tmp_path / parts[1])}
    assert config.train.test_of == {name: str(tmp_path / part) for name, part in held.items()}


@pytest.mark.parametrize("parts", [(), ("trainA", "testB"), ("trainA", "trainC"), ("train", "test")])
def test_other_folders_are_refused_as_before(parts, tmp_path):
    for part in parts:
        (tmp_path / part).mkdir()
    config = asked(data=str(tmp_path))
    divide_by_stream(config)
    with pytest.raises(UserError, match="but for which stream"):
        config.check()


def test_a_method_of_one_stream_and_a_name_are_left_alone(tmp_path):
    folder_of(tmp_path, "trainA", "trainB", n=1)
    for config in (asked("vae", data=str(tmp_path)), asked(data="digits"), asked()):
        before = config.to_dict()
        divide_by_stream(config)
        assert config.to_dict() == before


@pytest.mark.parametrize("option", ["data", "test"])
def test_a_stream_that_is_given_by_itself_too_is_refused(option, tmp_path):
    folder_of(tmp_path, "trainA", "trainB", n=1)
    config = asked(data=str(tmp_path), **{f"{option}_of": {"b": "digits"}})
    with pytest.raises(UserError, match=rf"`data`: .* but `{option}\.b` is given too; leave one"):
        divide_by_stream(config)


def test_a_file_holds_no_domains(tmp_path):
    (tmp_path / "trainA").write_text("")
    assert domains_of(tmp_path) == {}
    assert domains_of(tmp_path / "trainA") == {}


def test_other_sources_give_their_own_names(tmp_path):
    config = asked(data_of={"a": str(tmp_path / "x" / "trainA"), "b": str(tmp_path / "y" / "trainB")})
    assert named_after(config) == ["trainA", "trainB"]
    config = asked(data_of={"a": "photos/2024.zip", "b": "digits"})
    assert named_after(config) == ["2024", "digits"]


def test_a_config_may_give_a_stream_its_data_and_what_is_held_out(tmp_path, capsys):
    config = asked(data_of={"a": "A", "b": "B"}, test_of={"a": "T"})
    (tmp_path / "config.yaml").write_text(config.to_yaml())
    main(["train", "--config", str(tmp_path / "config.yaml"), "--test.b=U", "--print-config"])
    (tmp_path / "printed.yaml").write_text(capsys.readouterr().out)
    printed = read_config(tmp_path / "printed.yaml")
    assert printed.sources == {"a": "A", "b": "B"}
    assert printed.tests == {"a": "T", "b": "U"}


def test_a_folder_on_the_command_line_takes_the_place_of_what_a_config_gives(tmp_path, capsys):
    for name in ("old", "new"):
        folder_of(tmp_path / name, "trainA", "trainB", "testA")
    run = tmp_path / "run"
    main(["train", "toy", "--data", str(tmp_path / "old"), "--steps=2", "--batch-size=4", "--run", str(run)])
    again = tmp_path / "again"
    config = ["--config", str(run / "config.yaml"), "--run", str(again)]
    main(["train", *config, "--data", str(tmp_path / "new")])
    found = read_config(again / "config.yaml")
    assert found.sources == {name: str(tmp_path / "new" / f"train{name.upper()}") for name in "ab"}
    assert found.tests["a"] == str(tmp_path / "new" / "testA")


def test_a_folder_without_its_parts_is_told_which_it_needs(tmp_path):
    with pytest.raises(UserError, match="or --data FOLDER with trainA and trainB inside"):
        asked(data=str(tmp_path)).check()
