"""Every file that is read may be damaged: no traceback, one line, and what is not needed is done without."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from pushforward.cli import main
from pushforward.config import read_config
from pushforward.errors import UserError
from pushforward.reading import Damaged, read_json, read_lines
from pushforward.training.checkpoint import newest_checkpoint, save_checkpoint
from tests.runs import trainer

TRAIN = ["train", "vae", "--data=digits", "--limit=60", "--steps=6", "--hidden=8", "--latent-dim=2"]
DAMAGE = {
    "empty": b"",
    "junk": bytes(range(256)) * 4,
    "list": b"[]",
    "string": b'"x"',
    "null": b"null",
    "nan": b'{"step": NaN, "format": 1e999}',
    "deep": b"[" * 100_000,
    "object": b"{}",
    "types": b'{"step": "x", "format": [1], "method": 7, "clock": null, "look": [{"name": 1}]}',
}
SOME = ("junk", "list", "deep", "types")  # where a trial trains or draws a page
NEEDED, OPTIONAL = ("model.json", "config.yaml"), ("findings.json", "evaluation.json", "metrics.jsonl")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("damage") / "run"
    main([*TRAIN, "--batch-size=8", "--checkpoint-every=3", "--validation=0.2", f"--run={folder}"])
    main(["evaluate", str(folder), "--limit=5"])
    (folder / "findings.json").write_text("{}")
    return folder


@pytest.fixture
def run(whole, tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(whole, tmp_path / "run"))


def status(capsys, *words) -> tuple[int, str]:
    capsys.readouterr()
    try:
        main(list(words))
        code = 0
    except SystemExit as stop:
        code = stop.code
    return code, capsys.readouterr().err


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", NEEDED)
def test_a_needed_file_that_is_damaged_is_one_line_with_its_name(run, name, damage, capsys):
    (run / name).write_bytes(DAMAGE[damage])
    code, told = status(capsys, "sample", "run", "--n", "2", "--out", "x.png")
    assert code == 2
    assert told.count("\n") == 1
    assert name in told


@pytest.mark.parametrize("damage", SOME)
@pytest.mark.parametrize("name", OPTIONAL)
def test_an_optional_file_that_is_damaged_is_done_without(run, name, damage, capsys):
    (run / name).write_bytes(DAMAGE[damage])
    assert status(capsys, "report", "run")[0] == 0
    (run / "DONE").unlink()
    code, told = status(capsys, "train", "--resume", "run", "--steps", "7")
    assert code == 0, told


@pytest.mark.parametrize("damage", SOME)
@pytest.mark.parametrize("name", ["manifest.json", "values.json", "algorithm.safetensors"])
def test_a_damaged_checkpoint_is_left_out_and_told(run, name, damage, capsys):
    (run / "checkpoints" / "step-0000006" / name).write_bytes(DAMAGE[damage])
    (run / "DONE").unlink()
    with pytest.warns(UserWarning, match=r"left out step-0000006: .*; going on from step-0000003"):
        code, told = status(capsys, "train", "--resume", "run")
    assert code == 0
    assert "resumed run at step 3; 3 steps after it are done again" in told


@pytest.mark.parametrize("damage", SOME)
def test_damaged_best_weights_are_done_without(run, damage, capsys):
    (run / "best" / "model.json").write_bytes(DAMAGE[damage])
    assert status(capsys, "report", "run")[0] == 0
    code, told = status(capsys, "sample", "run", "--n=2", "--out=x.png", "--checkpoint=best")
    assert (code, told.count("\n")) == (2, 1)


def test_folders_of_other_names_and_damaged_pictures_do_not_matter(run, capsys):
    shutil.copytree(run / "checkpoints" / "step-0000006", run / "checkpoints" / "step-0000006 (copy)")
    (run / "checkpoints" / "step-abc").mkdir()
    (run / "samples" / "step-.png").write_bytes(b"x")
    (run / "samples" / "step-0000006.png").write_bytes(b"x")
    (run / "DONE").unlink()
    assert status(capsys, "train", "--resume", "run", "--steps", "7")[0] == 0
    assert status(capsys, "report", "run")[0] == 0


def test_missing_moments_are_an_error(tmp_path):
    t = trainer(tmp_path, "vae", steps=4)
    t.start()
    t.run()
    root = tmp_path / "checkpoints"
    _, checkpoint = newest_checkpoint(root)
    kept = {name: group for name, group in checkpoint.tensors.items() if not name.startswith("optimizer")}
    shutil.rmtree(root)
    save_checkpoint(root, 4, type(checkpoint)(kept, checkpoint.values))
    with pytest.raises(UserError, match="no moments of the optimiser of vae"):
        trainer(tmp_path, "vae", steps=6).resume()


# -- the door itself ---------------------------------------------------------------------------------


def test_rows_that_are_damaged_are_counted_and_the_cut_off_last_is_not(tmp_path):
    path = tmp_path / "m.jsonl"
    rows = [{"step": i, "loss/vae": 1.5} for i in range(3)]
    path.write_text("".join(json.dumps(r) + "\n" for r in rows) + 'x\n{"step": -1}\n{"step": 9, "loss/')
    assert read_lines(path, "MetricsRow") == (rows, 2)


@pytest.mark.timeout(20)
def test_devices_pipes_and_large_files_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    large = tmp_path / "large"
    large.write_bytes(b" " * 2_000)
    for path in (Path("/dev/zero"), tmp_path / "pipe", tmp_path, Path("a\0b")):
        with pytest.raises(Damaged):
            read_json(path, "About")
    with pytest.raises(Damaged, match="expected at most 1,000"):
        read_json(large, "About", most=1_000)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a: &a [x, x]\n" + "".join(f"b{i}: [*a, *a]\n" for i in range(9)), "alias"),
        ("[" * 100_000, "nested"),
        ("{b: " * 500, "nested"),
        (" " * 2**21, "expected at most"),
        ("train: {data: !!python/object/apply:os.system ['true']}", "not YAML"),
        ("method: [", "not YAML"),
    ],
)
def test_hostile_yaml_is_one_line_at_once(content, told, tmp_path):
    (tmp_path / "c.yaml").write_text(content)
    with pytest.raises(UserError, match=told) as error:
        read_config(tmp_path / "c.yaml")
    assert "\n" not in str(error.value)
    for path in (Path("/dev/zero"), Path("a\0b"), tmp_path):
        with pytest.raises(UserError, match="--config"):
            read_config(path)
