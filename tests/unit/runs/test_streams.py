"""A method that learns from two streams: trained, cut, resumed, reported and loaded like any other."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml

import pushforward
from pushforward.algorithms.gan import GAN
from pushforward.cli import main
from pushforward.config import RunConfig, TrainOptions, config_from
from pushforward.core import Clock, Snapshot
from pushforward.errors import Diverged, UserError
from pushforward.models.store import described
from pushforward.observers.choice import adversarial_observers
from pushforward.observers.health import AdversarialHealth
from pushforward.recipes.vae import VAERecipe
from pushforward.report import write_report
from pushforward.runs.reopen import images_for, open_run
from pushforward.runs.run import resume, start
from pushforward.runs.single import Progress
from pushforward.streams import build
from pushforward.training.checkpoint import newest_checkpoint, save_checkpoint
from tests.runs import build as small
from tests.runs import small_images
from tests.two_streams import TranslatorRecipe, registered
from tests.unit.report.test_page import Reader

SHAPES = {"a": (1, 8, 8), "b": (3, 8, 8)}


@pytest.fixture(autouse=True, scope="module")
def toys():
    with registered():
        yield


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A source for each stream."""
    folder = tmp_path_factory.mktemp("sources")
    return {name: write(folder / f"{name}.npz", shape) for name, shape in SHAPES.items()}


def write(path, shape, *, n=60, seed=0):
    images = np.random.default_rng(seed).integers(0, 256, (n, *shape[1:], shape[0]), np.uint8)
    np.savez(path, images=images.squeeze(-1) if shape[0] == 1 else images)
    return str(path)


def config(run, sources, method="toy", **train) -> RunConfig:
    shared = {"steps": 12, "batch_size": 5, "checkpoint_every": 4, "run": str(run), "data_of": dict(sources)}
    return config_from({"method": method, "train": {**shared, **train}}, where="test")


def words(sources, *more):
    return ["train", "toy", *(f"--data.{name}={source}" for name, source in sources.items()), *more]


@pytest.fixture(scope="module")
def run(sources, tmp_path_factory):
    """A run from the command line."""
    folder = tmp_path_factory.mktemp("runs") / "toy"
    main(words(sources, "--steps=12", "--batch-size=5", "--checkpoint-every=4", f"--run={folder}"))
    return folder


def fails(capsys, *argv):
    with pytest.raises(SystemExit) as stop:
        main(list(argv))
    err = capsys.readouterr().err
    assert (stop.value.code, err.count("\n")) == (2, 1), err
    return err


def test_the_config_the_model_and_the_card_know_both_streams(run, sources):
    kept = yaml.safe_load((run / "config.yaml").read_text())
    assert kept["train"]["data"] is None
    assert kept["train"]["data_of"] == sources
    data = kept["provenance"]["data"]
    assert {name: data[name]["shape"] for name in data} == {"a": [1, 8, 8], "b": [3, 8, 8]}
    assert len({data[name]["train_fingerprint"] for name in data}) == 2
    about = json.loads((run / "model.json").read_text())
    assert about["shapes"] == {"a": [1, 8, 8], "b": [3, 8, 8]}
    assert "shape" not in about
    card = (run / "README.md").read_text()
    for name, source in sources.items():
        assert f"`{source}` (stream `{name}`)" in card
        assert data[name]["train_fingerprint"][:16] in card


def test_it_loads_with_both_shapes(run):
    model = pushforward.load(run)
    assert model.shapes == SHAPES
    assert model.shape == SHAPES["a"]  # what it does without naming a stream is about the first
    assert model.reconstruct(torch.zeros(3, 1, 8, 8)).shape == (3, 1, 8, 8)
    with pytest.raises(UserError, match=r"x: shape \(3, 3, 8, 8\); expected \(n, 1, 8, 8\)"):
        model.reconstruct(torch.zeros(3, 3, 8, 8))


def test_each_stream_is_opened_as_training_saw_it(run):
    kept, model = open_run(run)
    for name, shape in SHAPES.items():
        assert images_for(kept, model, stream=name, split="train").data.shape == shape
    assert images_for(kept, model).data.shape == SHAPES["a"]


def test_the_report_shows_both(run, sources, tmp_path):
    page = write_report(run, tmp_path / "page.html").read_text()
    reader = Reader(page)
    assert "Training images of a" in reader.words
    assert "Training images of b" in reader.words
    sheets = [value for tag, name, value in reader.attributes if tag == "img" and name == "alt"]
    assert {"Training images of a", "Training images of b"} <= set(sheets)
    for source in sources.values():
        assert reader.words.count(source) >= 2
    assert "training data of b" in reader.words
    told = reader.words.partition("Data What the model learned from")[2]
    assert "8 × 8 pixels, grey" in told
    assert "8 × 8 pixels, colour" in told
    assert f"--data.a {sources['a']} --data.b {sources['b']} --run" in page  # the command that does it again


def test_a_stream_of_points_is_drawn(sources, tmp_path):
    points = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
    np.savez(tmp_path / "points.npz", points=points)
    folder = start(
        config(tmp_path / "run", {**sources, "b": str(tmp_path / "points.npz")}, steps=2), Progress()
    )
    reader = Reader(write_report(folder).read_text())
    assert "Training points of b" in reader.words
    assert "2 numbers each" in reader.words


def test_a_run_that_was_cut_equals_one_that_was_not(run, sources, tmp_path):
    class Cut(Exception):
        pass

    def cut(clock):
        if clock.step == 7:
            raise Cut

    folder = tmp_path / "cut"
    with pytest.raises(Cut):
        start(config(folder, sources), Progress(step=cut))
    assert newest_checkpoint(folder / "checkpoints")[1].values["stream"] == {"a": 20, "b": 40}
    resume(folder, {}, Progress())
    assert (folder / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()


def test_other_data_of_the_second_stream_are_refused_by_name(sources, tmp_path, capsys):
    mine = {name: shutil.copy(source, str(tmp_path)) for name, source in sources.items()}
    folder = start(config(tmp_path / "run", mine, steps=2), Progress())
    write(tmp_path / "b.npz", SHAPES["b"], seed=1)
    (folder / "DONE").unlink()
    line = fails(capsys, "train", "--resume", str(folder), "--steps", "4")
    assert "data.b.train_fingerprint" in line
    assert "data.a" not in line
    page = Reader(write_report(folder).read_text()).words
    assert f"images of {mine['b']} changed since this run was trained" in " ".join(page.split())


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--data.a=A"], "--data.b: not given; 'toy' learns from a and b: --data.a X --data.b X"),
        ([], "--data.a: not given"),
        (["--data=A"], "--data: A, but for which stream? 'toy' learns from a and b"),
        (["--data.a=A", "--data.b=B", "--test=A"], "--test: A, but for which stream?"),
        (["--data.a=A", "--data.b=B", "--data.c=A"], "--data.c: there is no such stream"),
        (["--data.a=A", "--data.b=B", "--test.c=A"], "--test.c: there is no such stream"),
        (["--data.a=A", "--data.b"], "--data.b: no value given"),
        (["--data.a", "--data.b=B"], "--data.a: no value given"),
        (["--data-of", "a", "A"], "--data-of: write it as --data.STREAM SOURCE"),
        (["--data.a=A", "--data.b=nowhere"], "--data.b nowhere: no such file or folder"),
        (["--data.a=A", "--data.b=B", "--test.b=nowhere"], "--test.b nowhere: no such file or folder"),
        (["--data.a=A", "--data.b=B", "--test.b=B"], "it holds every image of --data.b"),
        (["--data.a=A", "--data.b=B", "--limit=99"], "--limit 99: expected 1 to"),
    ],
)
def test_mistakes_about_streams_are_one_line(asked, said, sources, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = [w.replace("=A", f"={sources['a']}").replace("=B", f"={sources['b']}") for w in asked]
    line = fails(capsys, "train", "toy", *asked, "--steps=2")
    assert said.replace(": A,", f": {sources['a']},") in line
    assert not (tmp_path / "runs").exists()


def test_a_method_of_one_stream_has_no_others(capsys):
    line = fails(capsys, "train", "vae", "--data.a", "digits")
    assert "--data.a: there is no such stream; 'vae' learns from data: --data X" in line
    line = fails(capsys, "train", "vae", "--data.data", "digits")
    assert "--data.data: there is no such stream" in line


def test_a_stream_may_have_held_out_data_of_its_own(sources, tmp_path):
    other = write(tmp_path / "other.npz", SHAPES["b"], n=7, seed=3)
    folder = start(config(tmp_path / "run", sources, steps=1, test_of={"b": other}), Progress())
    kept, model = open_run(folder)
    data = kept.provenance["data"]
    assert (data["b"]["test_images"], data["b"]["split"]) == (7, f"--test.b {other}")
    assert data["a"]["split"] == "10 % by content hash"
    assert len(images_for(kept, model, stream="b").data) == 7


def test_it_is_no_component_of_an_ensemble(capsys):
    line = fails(capsys, "train", "adagan", "--component=toy", "--data=digits", "--steps=1")
    assert "--component: toy learns from a and b; take a method that learns from one set of data" in line


def test_the_folder_is_named_after_all_data(sources, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    main(words(sources, "--steps=1"))
    assert (tmp_path / "runs" / "toy-a-b" / "DONE").is_file()


def test_the_help_says_how_streams_are_given(capsys):
    with pytest.raises(SystemExit):
        main(["train", "toy", "--help"])
    assert "--data.STREAM" in capsys.readouterr().out


def test_a_config_may_name_the_streams(run, sources, tmp_path, capsys):
    main(["train", "--config", str(run / "config.yaml"), "--print-config"])
    again = config_from(yaml.safe_load(capsys.readouterr().out), where="printed")
    assert again.sources == sources
    main(["train", "--config", str(run / "config.yaml"), "--data.b", "elsewhere", "--print-config"])
    assert yaml.safe_load(capsys.readouterr().out)["train"]["data_of"] == {**sources, "b": "elsewhere"}


@pytest.mark.parametrize("command", ["evaluate", "reconstruct"])
def test_commands_look_at_the_first_stream(command, run, sources, tmp_path, capsys):
    more = ["--out", str(tmp_path / "x.png")] if command == "reconstruct" else []
    main([command, str(run), "--json", *more])
    facts = json.loads(capsys.readouterr().out)
    assert facts["data"] == sources["a"]
    main([command, str(run), "--json", "--data", "digits", *more])
    assert json.loads(capsys.readouterr().out)["data"] == "digits"


@pytest.mark.parametrize("command", ["sample", "traverse"])
def test_what_it_cannot_do_is_one_line(command, run, capsys):
    assert "RUN: a model of the method 'toy' has no" in fails(capsys, command, str(run))


def test_one_that_samples_is_sampled(sources, tmp_path, capsys):
    folder = start(config(tmp_path / "run", sources, "toy-sampler", steps=2), Progress())
    assert len(list((folder / "samples").glob("step-*.png"))) > 0
    assert "model.sample(16, seed=0)" in (folder / "README.md").read_text()
    main(["sample", str(folder), "--json"])
    assert json.loads(capsys.readouterr().out)["n"] == 64
    reader = Reader(write_report(folder).read_text())
    assert "Training images of a, for comparison" in reader.words
    assert "Training images of b" in reader.words


def test_a_nan_is_told_with_the_rows_of_both_streams(sources, tmp_path, monkeypatch):
    from tests import two_streams

    monkeypatch.setattr(two_streams.Translator, "reconstruct", lambda self, x: self.back.weight.sum() * x / 0)
    with pytest.raises(Diverged, match=r"on the batch of a \(row \d+.* and 2 more\) and b \(row \d+"):
        start(config(tmp_path / "run", sources), Progress())


class DrawsB(GAN):
    """A GAN of the stream b, in a run that has two."""

    def step(self, draw):
        """That of a GAN."""
        return super().step(lambda name="data", n=None: draw("b", n))

    def games(self):
        """Whose real data are b."""
        return {name: replace(game, stream="b") for name, game in super().games().items()}


def test_an_adversarial_method_is_looked_at_with_the_streams_that_its_step_draws(tmp_path):
    algorithm = small("gan", SHAPES["a"]).eval()
    algorithm.__class__ = DrawsB
    data = {"a": small_images(40), "b": small_images(40)}
    made = adversarial_observers(algorithm, data, config(tmp_path, {}, "gan", data_of={}), steps=4)
    health = next(observer for observer in made if isinstance(observer, AdversarialHealth))
    seen = health.observe(Snapshot(algorithm, Clock(1, 4), tmp_path, torch.device("cpu")))
    assert seen.metrics["generator_gradient"] > 0


def test_shapes_are_described_for_old_readers_where_they_can_be():
    assert described({"data": (1, 8, 8)}) == {"shape": [1, 8, 8]}
    assert described(SHAPES) == {"shapes": {"a": [1, 8, 8], "b": [3, 8, 8]}}


def test_recipes_are_built_by_stream():
    one = build(VAERecipe(latent_dim=2, hidden=(4,)), {"data": (1, 8, 8)})
    assert one.decode(torch.zeros(1, 2)).shape == (1, 1, 8, 8)
    assert build(TranslatorRecipe(), {"b": (3, 8, 8), "a": (1, 8, 8)}).shapes == SHAPES


def test_a_run_from_before_there_were_streams_goes_on(tmp_path):
    """Its config and its checkpoint do not know the options that came since."""
    options = {"latent_dim": 2, "hidden": [4]}
    shared = {"data": "digits", "steps": 8, "checkpoint_every": 4, "sample_every": 0}
    whole = pushforward.train("vae", options=options, run=str(tmp_path / "whole"), **shared)
    folder = pushforward.train("vae", options=options, run=str(tmp_path / "old"), **{**shared, "steps": 4})
    content = yaml.safe_load((folder / "config.yaml").read_text())
    del content["train"]["data_of"], content["train"]["test_of"]
    (folder / "config.yaml").write_text(yaml.safe_dump(content))
    _, checkpoint = newest_checkpoint(folder / "checkpoints")
    assert (
        "data_of" not in checkpoint.values["identity"]["train"]
    )  # where the data lie says not what they are
    shutil.rmtree(folder / "checkpoints")
    save_checkpoint(folder / "checkpoints", checkpoint.values["clock"]["step"], checkpoint)
    resume(folder, {"steps": 8}, Progress())
    assert (folder / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert TrainOptions().data == "mnist5k"
