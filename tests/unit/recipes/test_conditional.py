"""Class-conditional models: the critic is told the class, samples are of it, and odd data are refused."""

from __future__ import annotations

import dataclasses
import inspect
import json

import numpy as np
import pytest
import torch

import pushforward
from pushforward.cli import main
from pushforward.core import Batch, Clock, to_float
from pushforward.data import load_dataset
from pushforward.diagnostics.exam import Examiner
from pushforward.distributions.labels import Labels
from pushforward.errors import UserError
from pushforward.features import train_classifier
from pushforward.methods import METHODS, recipe_class
from pushforward.networks.critic import Critic
from pushforward.networks.projection import ProjectionHead, projecting
from pushforward.randomness import seed_everything
from pushforward.training.fit import fit
from tests.runs import ADVERSARIAL, CLASSES, METHOD_NAMES, build, small_images

CONDITIONAL = [name for name in METHOD_NAMES if name.endswith(", conditional")]


@pytest.mark.parametrize("method", [m.name for m in METHODS.values() if m.kind == "algorithm"])
def test_a_recipe_is_built_with_classes_where_it_is_conditional_and_only_there(method):
    recipe = recipe_class(method)
    if "conditional" in {field.name for field in dataclasses.fields(recipe)}:
        with pytest.raises(UserError, match="`conditional`: True, but no classes"):
            recipe(conditional=True).build((1, 8, 8))
    if "classes" in inspect.signature(recipe.build).parameters:
        with pytest.raises(UserError, match="`conditional`: not set, but classes"):
            recipe().build((1, 8, 8), CLASSES)


def test_the_projection_is_a_linear_head_and_an_inner_product_with_the_class():
    head = ProjectionHead(torch.nn.Linear(5, 1), 3)
    features, y = torch.randn(4, 5), torch.eye(3)[[0, 2, 1, 2]]
    expected = head.head(features) + (head.embed.weight.T[[0, 2, 1, 2]] * features).sum(1, keepdim=True)
    noise = torch.randn(4, 2)  # what stands before the class in a code is not looked at
    torch.testing.assert_close(head(torch.cat([features, noise, y], 1)), expected)
    every = head.by_class(features)
    torch.testing.assert_close(every.gather(1, y.argmax(1, keepdim=True)), expected - head.head(features))


def test_at_its_optimum_the_critic_is_the_log_ratio_of_the_classes_too():
    """Discrete x and y: p(x, y) against q(x, y) by cross-entropy, with one feature for each x."""
    p = torch.tensor([[0.3, 0.1], [0.1, 0.1], [0.1, 0.3]]).double()
    q = torch.full((3, 2), 1 / 6).double()
    critic = projecting(
        Critic(torch.nn.Identity(), torch.nn.Linear(3, 1), another=lambda: torch.nn.Linear(3, 1)), 2
    ).double()
    x, y = torch.eye(3).double().repeat_interleave(2, 0), torch.eye(2).double().repeat(3, 1)
    optimizer = torch.optim.LBFGS(critic.parameters(), max_iter=400, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        scores = critic(x, y).flatten()
        soft = torch.nn.functional.softplus
        loss = (p.flatten() * soft(-scores) + q.flatten() * soft(scores)).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    torch.testing.assert_close(critic(x, y).flatten(), (p / q).log().flatten(), atol=1e-3, rtol=0)


def test_labels_stand_beside_codes_and_come_as_often_as_they_were():
    labels = Labels([0.25, 0.75])
    z, y = torch.randn(6, 3), torch.tensor([0, 1, 1, 0, 1, 1])
    code, one_hot = labels.split(labels.beside(z, y))
    assert torch.equal(code, z)
    assert torch.equal(one_hot.argmax(1), y)
    assert labels.draw(4000).double().mean().item() == pytest.approx(0.75, abs=0.03)


@pytest.mark.parametrize("method", CONDITIONAL)
def test_a_step_uses_the_labels_of_the_batch(method):
    """Other labels of the same images give another step; without any it is refused."""
    x = torch.rand(8, 1, 8, 8) * 2 - 1
    reports = []
    for labels in (torch.zeros(8, dtype=torch.int64), torch.ones(8, dtype=torch.int64)):
        algorithm = build(method)
        seed_everything(1)
        batch = Batch(x, labels, torch.arange(8))
        reports.append(fit(algorithm, lambda name="data", n=None, batch=batch: batch, steps=1))
    assert reports[0] != reports[1]
    with pytest.raises(UserError, match="labels"):
        fit(build(method), lambda name="data", n=None: Batch(x, None, torch.arange(8)), steps=1)


@pytest.mark.parametrize("method", [name for name in CONDITIONAL if name in ADVERSARIAL])
def test_samples_that_equal_the_data_are_not_told_apart(method, monkeypatch):
    """Real images go with the classes that they have, as in training, not with those that suit them best."""
    data, model = small_images(400), build(method).eval()
    (embedding,) = model.critic.network.head.embed.parameters()
    embedding.data = 50 * torch.tensor([1.0, -1.0]) * embedding.data[:, :1]  # the class decides the score

    def copied(z):
        of_class = model.labels.split(z)[1].argmax(1)
        rows = torch.randint(200, (len(z),)) * 2 + of_class  # labels are even and odd in turn
        return to_float(data.x[rows])

    monkeypatch.setattr(model, "decode", copied)
    exam = Examiner({"data": data}, batch_size=8).look(model, Clock(), torch.device("cpu"))
    assert exam.separation == pytest.approx(0.5, abs=0.1)  # 128 of each


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Zeros and ones of 8 × 8 pixels, as a folder's array."""
    data = load_dataset("digits")
    rows = (data.labels < 2).nonzero().flatten()
    path = tmp_path_factory.mktemp("digits") / "two.npz"
    labels = np.array(["zero", "one"])[data.labels[rows].numpy()]
    np.savez(path, images=data.x[rows, 0].numpy(), labels=labels)
    return path


@pytest.fixture(scope="module")
def run(digits, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "vae"
    options = {"conditional": True, "latent_dim": 4, "hidden": (64,)}
    return pushforward.train("vae", data=digits, steps=600, batch_size=32, options=options, run=folder)


def test_samples_of_a_label_are_of_it(run, digits, tmp_path):
    model = pushforward.load(run)
    assert model.classes == ("one", "zero")
    classifier = train_classifier(load_dataset(str(digits)), seed=0)
    for i, name in enumerate(model.classes):
        named = classifier(model.sample(100, label=name))
        assert (named == i).double().mean() > 0.8  # chance is a half
    mixed = classifier(model.sample(200)).double().mean()
    assert 0.35 < mixed < 0.65
    narrow = model.sample(40, label="one", truncation=0.2)
    assert narrow.std(0).mean() < 0.5 * model.sample(40, label="one").std(0).mean()


def test_the_command_draws_a_class_or_some_of_each(run, tmp_path, capsys):
    main(["sample", str(run), "--label", "one", "--n", "6", "--out", str(tmp_path / "one.npz")])
    assert np.load(tmp_path / "one.npz")["images"].shape[0] == 6
    main(["sample", str(run), "--per-label", "3", "--out", str(tmp_path / "each.npz")])
    each = np.load(tmp_path / "each.npz")["images"]
    model = pushforward.load(run)
    expected = torch.cat([model.sample(3, label=name) for name in model.classes])
    made = to_float(torch.from_numpy(each)).permute(0, 3, 1, 2)
    torch.testing.assert_close(made, expected.clamp(-1, 1), atol=0.01, rtol=0)
    capsys.readouterr()
    main(["sample", str(run), "--per-label", "4", "--json"])
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["n"] == 8


def test_images_are_reconstructed_by_their_class_or_by_the_one_named(run, digits, tmp_path, capsys):
    errors = {}
    for words in ([], ["--label", "one"], ["--label", "zero"]):
        out = ["--out", str(tmp_path / "pairs.png"), "--data", str(digits), "--n", "60"]
        main(["reconstruct", str(run), "--json", *out, *words])
        errors[tuple(words[1:])] = json.loads(capsys.readouterr().out.splitlines()[-1])["errors"]
    told, one, zero = errors.values()
    assert all(right in (a, b) for right, a, b in zip(told, one, zero, strict=True))
    assert sum(told) < min(sum(one), sum(zero))  # of both classes there are some
    main(["reconstruct", str(run), "--json", "--samples", "3", "--out", str(tmp_path / "mean.png")])
    assert len(json.loads(capsys.readouterr().out.splitlines()[-1])["standard_errors"]) == 16


def test_a_walk_is_in_one_class(run, tmp_path, capsys):
    out = ["--out", str(tmp_path / "walk.png"), "--json"]
    main(["traverse", str(run), "--label", "zero", *out])
    assert len(json.loads(capsys.readouterr().out.splitlines()[-1])["kl"]) == 4
    with pytest.raises(SystemExit):
        main(["traverse", str(run), *out])
    assert "--label: not given, and this model is told the class; give one of one, zero" in (
        capsys.readouterr().err
    )


def test_a_run_keeps_the_best_weights_by_its_bound_given_the_class(run):
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    bounds = [row["metric/validation_elbo"] for row in rows if row.get("metric/validation_elbo") is not None]
    assert bounds[-1] > bounds[0]
    assert json.loads((run / "best" / "model.json").read_text())["value"] == max(bounds)


def test_the_report_shows_each_class(run):
    page = pushforward.write_report(run).read_text()
    for told in (
        "A row a class: one, zero.",
        "bound on ln p(x|class)",
        "changes in each class",
        "told the labels",
    ):
        assert told in page
    assert "Reconstructions" in page
    assert "bound on ln p(x) " not in page


def test_images_without_a_class_need_one(run, tmp_path, capsys):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "plain.npz", images=rng.integers(0, 255, (30, 8, 8), dtype=np.uint8))
    asked = ["reconstruct", str(run), "--data", str(tmp_path / "plain.npz"), "--out", str(tmp_path / "x.png")]
    with pytest.raises(SystemExit):
        main(asked)
    said = capsys.readouterr().err
    assert "--label: not given, and a conditional model is told the class of each image" in said
    assert said.strip().endswith("give one of one, zero")
    main([*asked, "--label", "one"])
    assert (tmp_path / "x.png").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--label", "on"], "--label: 'on'; perhaps you meant 'one'; known are one, zero"),
        (["--label", "one", "--per-label", "3"], "--label: given with --per-label"),
        (["--per-label", "3", "--n", "4"], "--per-label: given with --n"),
        (["--per-label", "0"], "--per-label: 0"),
    ],
)
def test_odd_labels_are_one_line(words, said, run, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["sample", str(run), *words])
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


def test_data_without_classes_are_refused_before_anything_is_written(tmp_path, capsys):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 255, (30, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "plain.npz", images=x)
    np.savez(tmp_path / "single.npz", images=x, labels=np.array(["a"] * 29 + ["b"]))
    np.savez(tmp_path / "one.npz", images=x, labels=np.array(["a"] * 30))
    for name, said in (("plain", "no labels"), ("single", "class b has"), ("one", "all are of one class")):
        data = f"{tmp_path}/{name}.npz"
        with pytest.raises(SystemExit):
            main(["train", "gan", "--conditional", "--data", data, "--run", f"{tmp_path}/r"])
        assert said in capsys.readouterr().err
        assert not (tmp_path / "r").exists()
    with pytest.raises(SystemExit):
        main(["train", "gan", "--conditional", "--pack", "2", "--data", "digits", "--run", f"{tmp_path}/r"])
    assert "--pack: 2" in capsys.readouterr().err
