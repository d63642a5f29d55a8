"""`pushforward` and `pushforward train` as a user meets them: help, mistakes, configs, resume."""

from __future__ import annotations

import contextlib
import subprocess
import sys

import pytest
import yaml
from PIL import Image

from pushforward.cli import COMMANDS, main

QUICK = ["--data=digits", "--steps=6", "--hidden=8", "--latent-dim=2", "--sample-every=0"]


def fails(capsys, *words: str) -> tuple[int, str]:
    """Exit status and the one line on stderr."""
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    err = capsys.readouterr().err
    assert err.count("\n") == 1, err
    assert "Traceback" not in err
    return stop.value.code, err


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished") / "run"
    main(["train", "vae", *QUICK, f"--run={folder}"])
    return folder


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["train"], []])
def test_help_does_not_import_torch(words):
    code = (
        "import sys; from pushforward.cli import main; import pushforward\n"
        f"main({words!r})\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_command_has_help(command, capsys):
    with contextlib.suppress(SystemExit):
        main([command, "--help"])
    assert f"pushforward {command}" in capsys.readouterr().out


def test_method_help_names_its_options(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["train", "vae", "--help"])
    assert not stop.value.code
    out = capsys.readouterr().out
    for option in ("--latent-dim", "--likelihood", "--data", "--minutes", "--seed", "--precision", "--ema"):
        assert option in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trian"], "no command 'trian'; perhaps you meant 'train'"),
        (["train", "vea"], "no method 'vea'; perhaps you meant 'vae'"),
        (["train", "--steps", "3"], "METHOD: none given"),
        (["train", "vae", "--data", "nowhere"], "--data nowhere: no such file or folder"),
        (["train", "vae", "--data", "./empty"], "--data ./empty: no image found"),
        (["train", "vae", "--data", "one"], "1 usable image"),
        (["train", "vae", "--image-size", "4"], "--image-size 4: expected 8 to 256"),
        (["train", "vae", "--image-size", "1000"], "--image-size 1000: expected 8 to 256"),
        (["train", "vae", "--steps", "0"], "--steps: 0; expected at least 1"),
        (["train", "vae", "--minutes", "-1"], "--minutes: -1.0; expected a positive number"),
        (["train", "vae", "--batch-size", "0"], "--batch-size: 0"),
        (["train", "vae", "--validation", "0.9"], "--validation: 0.9; expected a share"),
        (["train", "vae", "--latent-dims", "3"], "perhaps you meant --latent-dim"),
        (["train", "vae", "--latent-dim", "x"], "--latent-dim"),
        (["train", "vae", "--latent-dim", "0", *QUICK[:2]], "--latent-dim: 0; expected at least 1"),
        (["train", "vae", "--lr", "0", *QUICK[:2]], "--lr: 0.0; expected a positive number"),
        (["train", "vae", "--sigma", "-1", *QUICK[:2]], "--sigma: -1.0"),
        (["train", "vae", "--lr.critic", "1", *QUICK[:2]], "no player 'critic'; this method has vae"),
        (["train", "vae", "--lr.vae", "x"], "--lr.vae: 'x'; expected a number"),
        (["train", "vae", "--device", "gpu"], "--device: 'gpu'; expected auto, cpu"),
        (["train", "vae", "--run", "/proc/none", *QUICK[:2]], "--run: cannot write to /proc/none"),
        (["train", "vae", "--seed", "99999999999999999999"], "--seed: 99999999999999999999; expected"),
        (["train", "vae", "--minutes", "inf"], "--minutes: inf"),
        (["train", "vae", "--minutes", "3", "--steps", "3"], "--minutes: given with --steps"),
        (["train", "vae", "--hidden", "-5", *QUICK[:2]], "--hidden: -5; expected widths"),
        (["train", "vae", "--lr-of", "vae", "1"], "write it as --lr.PLAYER RATE"),
        (["train", "--config", "odd.yaml"], "provenance: 5; expected a mapping"),
        (["train", "--resume", "empty", "--preset", "mnist"], "--resume: takes no --preset"),
        (["train", "--resume", "empty", "--print-config"], "--resume: takes no --print-config"),
        (["train", "vae", "--run", "one", *QUICK[:2]], "--run: one is not empty"),
        (["train", "vae", "--run", "one/a.png", *QUICK[:2]], "--run: one/a.png is a file"),
        (["train", "--resume", "nowhere"], "there is no folder nowhere"),
        (["train", "--resume", "empty"], "no run folder: it has no config.yaml"),
        (["train", "--resume"], "--resume: no value given"),
        (["train", "--config", "none.yaml"], "--config: none.yaml cannot be read"),
        (
            ["train", "--config", "wrong.yaml"],
            "train.stepz: there is no such option; perhaps you meant 'steps'",
        ),
        (["train", "--config", "type.yaml"], "train.steps: 'abc'"),
        (["train", "--config", "broken.yaml"], "broken.yaml is not YAML"),
        (["train", "gan", "--config", "good.yaml"], "'gan', but good.yaml is about 'vae'"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_fix_and_exit_2(words, said, here, capsys):
    (here / "empty").mkdir()
    (here / "one").mkdir()
    Image.new("L", (28, 28), 7).save(here / "one" / "a.png")
    (here / "wrong.yaml").write_text("method: vae\ntrain: {stepz: 3}\n")
    (here / "type.yaml").write_text("method: vae\ntrain: {steps: abc}\n")
    (here / "broken.yaml").write_text("method: [vae\n")
    (here / "odd.yaml").write_text("method: vae\nprovenance: 5\n")
    (here / "good.yaml").write_text("method: vae\n")
    status, line = fails(capsys, *words)
    assert status == 2
    assert said in line
    assert not (here / "runs").exists()


def test_debug_shows_the_traceback():
    with pytest.raises(Exception, match="no command 'trian'"):
        main(["trian", "--debug"])


def test_the_command_line_wins_over_the_config(here, capsys):
    (here / "c.yaml").write_text(
        "method: vae\ntrain: {steps: 31}\noptions: {latent_dim: 5, hidden: [7, 9]}\n"
    )
    main(["train", "--config", "c.yaml", "--latent-dim", "6", "--lr.vae", "0.25", "--print-config"])
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed["train"]["steps"] == 31
    assert printed["options"]["latent_dim"] == 6
    assert printed["options"]["hidden"] == [7, 9]
    assert printed["train"]["lr_of"] == {"vae": 0.25}
    (here / "again.yaml").write_text(yaml.safe_dump(printed))
    main(["train", "--config", "again.yaml", "--print-config"])
    assert yaml.safe_load(capsys.readouterr().out) == printed


def test_a_run_folder_holds_what_it_promises(finished):
    for name in (
        "config.yaml",
        "metrics.jsonl",
        "model.safetensors",
        "model.json",
        "DONE",
        "README.md",
        "report.html",
    ):
        assert (finished / name).exists(), name
    assert (finished / "best" / "model.json").exists()
    assert not (finished / "LOCK").exists()
    config = yaml.safe_load((finished / "config.yaml").read_text())
    assert config["provenance"]["data"]["train_fingerprint"]
    assert config["train"]["seed"] == 0


def test_a_finished_run_says_so_and_exits_0(finished, capsys):
    main(["train", "--resume", str(finished)])
    assert "is finished (6 steps); nothing to do" in capsys.readouterr().err


def test_a_run_can_be_extended_but_not_changed(here, capsys):
    main(["train", "vae", *QUICK, "--run=r"])
    capsys.readouterr()
    status, line = fails(capsys, "train", "--resume", "r", "--latent-dim", "3", "--seed", "1")
    assert status == 2
    assert "train.seed: 1 asked, 0 in the run; options.latent_dim: 3 asked, 2 in the run" in line
    assert "is a run of 'vae'" in fails(capsys, "train", "gan", "--resume", "r")[1]
    main(["train", "--resume", "r", "--steps", "9"])
    assert yaml.safe_load((here / "r" / "config.yaml").read_text())["train"]["steps"] == 9
    main(["train", "vae", *QUICK, "--steps=9", "--run=straight"])
    weights = [(here / name / "model.safetensors").read_bytes() for name in ("r", "straight")]
    assert weights[0] == weights[1]


def test_a_config_that_was_edited_is_refused_field_by_field(here, capsys):
    main(["train", "vae", *QUICK, "--run=r"])
    path = here / "r" / "config.yaml"
    path.write_text(path.read_text().replace("latent_dim: 2", "latent_dim: 4"))
    capsys.readouterr()
    status, line = fails(capsys, "train", "--resume", "r", "--steps", "9")
    assert status == 2
    assert "options.latent_dim: 4 asked, 2 in the run" in line


def test_data_that_changed_is_refused(here, capsys):
    photos = here / "photos"
    photos.mkdir()
    for i in range(30):
        Image.new("L", (8, 8), 8 * i).save(photos / f"{i}.png")
    main(["train", "vae", *QUICK, "--data=photos", "--run=r"])
    Image.new("L", (8, 8), 5).save(photos / "0.png")
    capsys.readouterr()
    status, line = fails(capsys, "train", "--resume", "r", "--steps", "9")
    assert status == 2
    assert "the data of r changed since: data." in line


def test_minutes_are_frozen_in_the_config(here):
    main(["train", "vae", "--data=digits", "--minutes=0.01", "--hidden=8", "--latent-dim=2", "--run=r"])
    asked = yaml.safe_load((here / "r" / "config.yaml").read_text())["train"]
    assert asked["minutes"] == 0.01
    assert asked["steps"] > 1
    main(
        [
            "train",
            "vae",
            "--data=digits",
            f"--steps={asked['steps']}",
            "--hidden=8",
            "--latent-dim=2",
            "--run=s",
        ]
    )
    assert (here / "r" / "model.safetensors").read_bytes() == (here / "s" / "model.safetensors").read_bytes()


def test_default_folders_do_not_collide(here):
    for _ in range(2):
        main(["train", "vae", *QUICK])
    assert sorted(p.name for p in (here / "runs").iterdir()) == ["vae-digits", "vae-digits-2"]


def test_grey_pixels_in_a_bernoulli_warn_once(here):
    with pytest.warns(UserWarning, match="use `binarization` dynamic") as seen:
        main(["train", "vae", *QUICK, "--likelihood=bernoulli", "--binarization=none", "--run=r"])
    assert len([w for w in seen if "Bernoulli" in str(w.message)]) == 1


def test_a_preset_is_a_start_that_the_command_line_overrides(capsys):
    main(["train", "vae", "--preset", "mnist", "--latent-dim", "6", "--print-config"])
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed["options"]["lr_schedule"] == "cosine"
    assert printed["options"]["latent_dim"] == 6
    for words, said in (
        (
            ["train", "vae", "--latent", "bernoulli"],
            "--latent: 'vae' has it no more",
        ),
        (["train", "vae", "--preset", "mnits"], "has no preset 'mnits'; perhaps you meant 'mnist'"),
        (["train", "--preset", "mnist"], "but of which method"),
        (["train", "vae", "--preset", "mnist", "--config", "c.yaml"], "given with --config"),
    ):
        status, line = fails(capsys, *words)
        assert status == 2
        assert said in line


def test_the_config_of_a_run_can_be_run_again_elsewhere(here):
    main(["train", "vae", *QUICK, "--run=r"])
    main(["train", "--config", "r/config.yaml"])
    again = here / "runs" / "vae-digits"
    assert (again / "model.safetensors").read_bytes() == (here / "r" / "model.safetensors").read_bytes()


def test_minutes_on_the_command_line_replace_the_steps_of_a_config(here, capsys):
    (here / "c.yaml").write_text("method: vae\ntrain: {steps: 31}\n")
    main(["train", "--config", "c.yaml", "--minutes", "5", "--print-config"])
    asked = yaml.safe_load(capsys.readouterr().out)["train"]
    assert (asked["steps"], asked["minutes"]) == (None, 5)


def test_fewer_steps_than_are_done_are_refused(here, capsys):
    main(["train", "vae", *QUICK, "--run=r"])
    (here / "r" / "DONE").unlink()
    capsys.readouterr()
    assert "--steps: 3, but 6 are done already" in fails(capsys, "train", "--resume", "r", "--steps", "3")[1]


def test_a_restart_does_not_take_up_another_run(here, capsys, monkeypatch):
    main(["train", "vae", *QUICK, "--run=r"])
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    capsys.readouterr()
    status, line = fails(capsys, "train", "vae", *QUICK, "--latent-dim", "3", "--run=r")
    assert status == 2
    assert "holds another run (options.latent_dim: 3 asked, 2 in the run)" in line
