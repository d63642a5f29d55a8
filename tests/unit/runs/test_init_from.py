"""A run that starts with the weights of another: taken, kept apart from what is its own, or refused."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
import yaml

import pushforward
from pushforward.cli import main
from pushforward.data import load_dataset
from pushforward.errors import UserError
from pushforward.methods import recipe_class
from pushforward.models.store import load
from pushforward.runs.weights import start_from
from tests.runs import ADVERSARIAL

SMALL = {"network": "dcgan", "width": 4, "latent_dim": 5}
SHAPE = (1, 16, 16)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """60 digits of 16 pixels."""
    path = tmp_path_factory.mktemp("digits") / "x.npz"
    np.savez(path, images=load_dataset("digits", image_size=16).x[:60, 0].numpy())
    return path


def trained(method, data, run, steps=3, options=SMALL, **shared):
    return pushforward.train(method, data=data, steps=steps, batch_size=8, options=options, run=run, **shared)


@pytest.fixture(scope="module")
def source(digits, tmp_path_factory):
    return trained("gan", digits, tmp_path_factory.mktemp("source") / "run", options={**SMALL, "ema": 0.5})


def test_a_run_starts_with_the_published_weights_and_says_whence(source, digits, tmp_path):
    run = trained(
        "gan",
        digits,
        tmp_path / "new",
        steps=1,
        lr_of={"generator": 1e-30, "critic": 1e-30},
        init_from=source,
    )
    told = yaml.safe_load((run / "config.yaml").read_text())["provenance"]["init_from"]
    assert told["run"] == str(source)
    assert (told["method"], told["step"], len(told["weights"])) == ("gan", 3, 64)
    before, after = (load(folder).algorithm for folder in (source, run))
    for (name, a), (_, b) in zip(before.named_parameters(), after.named_parameters(), strict=True):
        torch.testing.assert_close(a, b, msg=name)
    assert str(source) in pushforward.write_report(run).read_text()


def test_averages_begin_at_the_given_weights(source, digits, tmp_path):
    options = {**SMALL, "ema": 0.999999}
    run = trained("gan", digits, tmp_path / "new", steps=2, options=options, init_from=source)
    before, after = (load(folder).algorithm.generator for folder in (source, run))
    for a, b in zip(before.parameters(), after.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)  # two steps have moved the average by 2e-6


@pytest.mark.parametrize(
    "own",
    [{"augment": "dag"}, {"augment": "ada", "ada_p": 0.3}, {"lecam": 0.3}, {"noise": 0.1}],
    ids=["heads", "ada", "penalty", "noise"],
)
def test_what_the_critic_sees_is_the_new_runs_both_ways(own, source, digits, tmp_path):
    first = trained("gan", digits, tmp_path / "with", options=SMALL | own, init_from=source, steps=2)
    trained("gan", digits, tmp_path / "without", init_from=first, steps=1)
    fresh = recipe_class("gan")(**{**SMALL, "dag_transforms": ("rotation",)} | own).build(SHAPE)
    kept = {k: v.clone() for k, v in fresh.state_dict().items() if ".views." in k or ".penalties." in k}
    start_from(fresh, recipe_class("gan")(**SMALL | own), source)
    assert all(torch.equal(fresh.state_dict()[k], v) for k, v in kept.items())


def test_points_keep_their_own_units(tmp_path):
    rng = np.random.default_rng(0)
    folders = []
    for i, scale in enumerate((1.0, 50.0)):
        np.savez(tmp_path / f"{i}.npz", points=(scale * rng.normal(size=(64, 3))).astype(np.float32))
        shared = {"init_from": folders[0]} if folders else {}
        options = {"hidden": (4,), "latent_dim": 2}
        folders.append(trained("gan", tmp_path / f"{i}.npz", tmp_path / str(i), 1, options, **shared))
    spreads = [load(folder).sample(200).std().item() for folder in folders]
    assert spreads[1] > 10 * spreads[0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"width": 8}, "its 'generator.0.weight' is 128 x 5, and here 256 x 5; that run has `width` 4; give"),
        ({"latent_dim": 6}, "that run has `latent_dim` 5"),
        ({"critic_norm": "batch"}, "it has no 'critic.network.trunk"),
        ({"critic_norm": "spectral"}, "that run has `critic_norm` none"),
    ],
)
def test_other_networks_are_refused_before_anything_is_written(options, said, source, digits, tmp_path):
    with pytest.raises(UserError, match="`init_from`") as error:
        trained("gan", digits, tmp_path / "new", options=SMALL | options, init_from=source)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "new").exists()


def test_a_method_takes_the_weights_of_another_with_the_same_networks(source, digits, tmp_path):
    run = trained("lsgan", digits, tmp_path / "new", steps=1, init_from=source)
    assert load(run).about["method"] == "lsgan"


@pytest.mark.parametrize("what", ["nothing", "empty folder", "damaged"])
def test_a_run_that_cannot_be_read_is_one_line(what, source, digits, tmp_path, capsys):
    folder = tmp_path / "source"
    if what != "nothing":
        folder.mkdir()
    if what == "damaged":
        shutil.copytree(source, folder, dirs_exist_ok=True)
        (folder / "model.safetensors").write_bytes(b"x" * 100)
    asked = ["--width", "4", "--latent-dim", "5", "--steps", "1", "--init-from", str(folder)]
    with pytest.raises(SystemExit) as stopped:
        main(["train", "gan", "--data", str(digits), "--run", str(tmp_path / "new"), *asked])
    said = capsys.readouterr().err.strip().splitlines()
    assert stopped.value.code == 2
    assert said[-1].startswith("error: --init-from: ")
    assert not (tmp_path / "new").exists()


def test_a_resume_does_not_need_the_other_run(source, digits, tmp_path):
    copy = tmp_path / "source"
    shutil.copytree(source, copy)
    whole = trained("gan", digits, tmp_path / "whole", steps=4, init_from=source)
    run = trained("gan", digits, tmp_path / "new", steps=2, init_from=copy)
    shutil.rmtree(copy)
    main(["train", "--resume", str(run), "--steps", "4"])
    for (name, a), (_, b) in zip(
        load(whole).algorithm.state_dict().items(), load(run).algorithm.state_dict().items(), strict=True
    ):
        assert torch.equal(a, b), name


@pytest.mark.parametrize("method", [name for name in ADVERSARIAL if "," not in name])
def test_frozen_layers_keep_their_weights_and_the_rest_learns(method, digits, tmp_path):
    options = {**SMALL, "freeze_critic": 1}
    try:
        algorithm = recipe_class(method)(**options).build(SHAPE)
    except UserError:
        pytest.skip("this method has no such networks")
    trunk = algorithm.critic.network.trunk
    assert [p.requires_grad for p in trunk.parameters()].count(False) in (1, 2)  # a weight, maybe a bias
    first = trained(method, digits, tmp_path / "a", steps=2)
    run = trained(method, digits, tmp_path / "b", steps=2, options=options, init_from=first)
    before, after = (
        dict(load(folder).algorithm.critic.network.trunk.named_parameters()) for folder in (first, run)
    )
    moved = [not torch.equal(before[name], after[name]) for name in before]
    assert not moved[0]
    assert any(moved)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"freeze_critic": 9}, "`freeze_critic`: 9; this critic has 2 layers before its head"),
        ({"freeze_critic": -1}, "`freeze_critic`: -1; expected at least 0"),
        ({"freeze_critic": 1, "critic": "projected"}, "frozen already"),
    ],
)
def test_what_cannot_be_frozen_is_refused(options, said):
    with pytest.raises(UserError, match=said):
        recipe_class("gan")(**SMALL | options).build(SHAPE)


def test_freezing_random_layers_is_refused(digits, tmp_path):
    with pytest.raises(UserError, match="`freeze_critic`: 1, but without `init_from`"):
        trained("gan", digits, tmp_path / "new", options={**SMALL, "freeze_critic": 1})
    assert not (tmp_path / "new").exists()


def test_an_ensemble_is_refused(source, digits, tmp_path):
    options = {"components": 2, "component_options": {"network": "dcgan", "width": 4}}
    with pytest.raises(UserError, match=r"`init_from`: .* trains several models"):
        trained("adagan", digits, tmp_path / "new", options=options, init_from=source)


def test_the_card_and_the_config_survive_json(source, digits, tmp_path):
    run = trained("gan", digits, tmp_path / "new", steps=1, init_from=source)
    assert json.dumps(yaml.safe_load((run / "config.yaml").read_text())["train"]["init_from"])


def test_other_classes_are_refused_since_weights_go_by_number(tmp_path):
    images = load_dataset("digits", image_size=16)
    for name, own in (("pets", ("cat", "dog")), ("birds", ("bird", "cat")), ("again", ("cat", "dog"))):
        labels = np.array(own)[np.arange(60) % 2]
        np.savez(tmp_path / f"{name}.npz", images=images.x[:60, 0].numpy(), labels=labels)
    options = {"network": "mlp", "hidden": [8], "latent_dim": 3, "conditional": True}
    source = trained("vae", tmp_path / "pets.npz", tmp_path / "source", options=options)
    with pytest.raises(UserError, match=r"told 2 classes \(cat, dog\), and here are 2 \(bird, cat\)"):
        trained("vae", tmp_path / "birds.npz", tmp_path / "run", options=options, init_from=str(source))
    assert not (tmp_path / "run").exists()
    trained("vae", tmp_path / "again.npz", tmp_path / "run", options=options, init_from=str(source))


def test_another_kind_of_model_is_told_as_such(digits, tmp_path):
    other = trained(
        "vae", digits, tmp_path / "vae", options={"network": "mlp", "hidden": [8], "latent_dim": 3}
    )
    with pytest.raises(UserError, match="it is of vae: give a run of this method") as refused:
        trained("gan", digits, tmp_path / "run", init_from=str(other))
    assert "give the same options" not in str(refused.value)
