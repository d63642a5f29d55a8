"""A preset is taken by itself where nothing was said, told, kept, and left out where something was."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

import pushforward
from pushforward.cli import main
from pushforward.config import default_train
from pushforward.errors import UserError
from pushforward.methods import recipe_class
from pushforward.recipes.presets import PRESETS, find_preset, preset_for
from pushforward.runs.run import train
from pushforward.views.diffaugment import DiffAugment


@pytest.fixture
def images(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "x.npz", images=rng.integers(0, 255, (40, 16, 16), dtype=np.uint8))
    return tmp_path / "x.npz"


@pytest.fixture(autouse=True)
def _narrow(monkeypatch):
    """The presets' own networks are too wide for a test."""
    for key in (("gan", "32px"), ("r3gan", "32px")):
        monkeypatch.setitem(PRESETS[key].options, "width", 4)


def kept(folder) -> dict:
    return yaml.safe_load((folder / "config.yaml").read_text())


def test_nothing_said_takes_the_preset_of_the_size_and_tells(images, tmp_path, capsys):
    main(["train", "r3gan", "--data", str(images), "--steps", "1", "--run", str(tmp_path / "run")])
    assert "preset  32px, for grey or colour images of 16 to 32 pixels" in "".join(capsys.readouterr())
    config = kept(tmp_path / "run")
    assert config["train"]["preset"] == "32px"
    assert config["train"]["batch_size"] == PRESETS["r3gan", "32px"].train["batch_size"]
    assert config["options"]["width"] == 4
    main(["train", "--resume", str(tmp_path / "run"), "--steps", "2"])
    assert kept(tmp_path / "run")["train"]["preset"] == "32px"


@pytest.mark.parametrize(
    "words",
    [["--preset", "none"], ["--latent-dim", "3"]],
    ids=["none", "an option of the method"],
)
def test_whoever_says_something_gets_that(words, images, tmp_path, capsys):
    asked = ["--network", "mlp", "--hidden", "4"] if words[0] == "--preset" else [*words, "--width", "4"]
    preset = words if words[0] == "--preset" else []
    folder = tmp_path / "run"
    main(["train", "gan", "--data", str(images), "--steps", "1", "--run", str(folder), *preset, *asked])
    assert "preset  " not in "".join(capsys.readouterr())
    assert kept(folder)["train"]["preset"] == (preset[1] if preset else None)


def test_options_win_over_a_named_preset_and_shared_ones_over_a_chosen_one(images, tmp_path):
    named = train("gan", data=images, steps=1, preset="32px", options={"latent_dim": 3}, run=tmp_path / "a")
    assert (kept(named)["options"]["latent_dim"], kept(named)["options"]["width"]) == (3, 4)
    chosen = train("gan", data=images, steps=1, batch_size=7, run=tmp_path / "b")
    assert (kept(chosen)["train"]["batch_size"], kept(chosen)["train"]["preset"]) == (7, "32px")
    plain = train("gan", data=images, steps=1, preset="none", options={"network": "mlp"}, run=tmp_path / "c")
    assert kept(plain)["options"]["latent_dim"] == 128
    with pytest.raises(UserError, match="no preset '31px'; perhaps you meant '32px'"):
        train("gan", data=images, preset="31px", run=tmp_path / "d")
    assert not (tmp_path / "d").exists()


def test_sizes_and_points():
    assert preset_for("gan", (3, 32, 32)) == preset_for("gan", (1, 16, 20)) == "32px"
    assert preset_for("gan", (1, 64, 48)) == "64px"
    for shape in ((2,), (1, 8, 8), (1, 65, 65), (1, 20, 40)):
        assert preset_for("gan", shape) is None
    assert preset_for("ae", (1, 32, 32)) is None


@pytest.mark.parametrize(("method", "name"), list(PRESETS))
def test_every_preset_has_options_that_exist(method, name):
    kind = recipe_class(method)
    preset = find_preset(method, name)
    kind(**preset.options)
    for option in preset.train:
        assert hasattr(default_train(kind), option)


def few_of(folder) -> str:
    return kept(folder)["options"]["augment"]


def test_few_images_get_what_helps_and_it_is_told_and_kept(images, tmp_path, capsys):
    folder = tmp_path / "run"
    main(["train", "r3gan", "--data", str(images), "--steps", "1", "--run", str(folder)])
    said = "".join(capsys.readouterr())
    assert "few     39 images: --augment diffaugment, so that the critic" in said
    assert "by heart; --augment none leaves it out" in said
    assert few_of(folder) == "diffaugment"
    assert isinstance(pushforward.load(folder).algorithm.critic.views[0], DiffAugment)
    main(["train", "--resume", str(folder), "--steps", "2"])
    assert few_of(folder) == "diffaugment"
    chosen = train("gan", data=images, steps=1, options={"latent_dim": 3, "width": 4}, run=tmp_path / "b")
    assert few_of(chosen) == "diffaugment"  # nothing was said of what the critic sees


@pytest.mark.parametrize(
    "words",
    [["--augment", "none"], ["--noise", "0.1"], ["--lecam", "0.1"], ["--pack", "2"], ["--preset", "none"]],
)
def test_whoever_says_what_the_critic_sees_gets_that(words, images, tmp_path, capsys):
    small = ["--width", "4", "--steps", "1", "--run", str(tmp_path / "run")]
    main(["train", "gan", "--data", str(images), *small, *words])
    assert "few     " not in "".join(capsys.readouterr())
    assert few_of(tmp_path / "run") == "none"


def test_many_images_small_ones_points_and_other_methods_are_left_alone(images, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "small.npz", images=rng.integers(0, 255, (40, 8, 8), dtype=np.uint8))
    np.savez(tmp_path / "points.npz", points=rng.normal(size=(40, 2)).astype(np.float32))
    for name in ("small", "points"):
        folder = train("gan", data=tmp_path / f"{name}.npz", steps=1, run=tmp_path / name)
        assert few_of(folder) == "none"
    vae = train("vae", data=images, steps=1, options={"hidden": (4,)}, run=tmp_path / "vae")
    assert "augment" not in kept(vae)["options"]
    monkeypatch.setattr("pushforward.runs.presets.FEW", 30)
    assert few_of(train("gan", data=images, steps=1, options={"width": 4}, run=tmp_path / "many")) == "none"
