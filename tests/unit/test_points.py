"""Points from one end to the other: train, publish, load, sample, evaluate, report."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from pushforward.cli import main
from pushforward.core import Algorithm
from pushforward.data import Dataset, load_dataset, load_splits
from pushforward.data.toys import draw, grid_modes, ring_modes
from pushforward.errors import UserError
from pushforward.evaluation import evaluate
from pushforward.models.model import Model
from pushforward.models.store import load
from pushforward.runs.run import train
from tests.unit.cli.test_look import fails, said


class Sampler(Algorithm):
    """Draws of a mixture, from the global random stream."""

    def __init__(self, modes, kept=None):
        super().__init__()
        self.modes, self.kept = modes, kept
        self.weight = nn.Parameter(torch.zeros(1))

    def players(self):
        return {}

    def step(self, draw):
        yield from ()

    def sample(self, n):
        x, which = draw(self.modes, 10 * n, seed=int(torch.randint(2**31, ())))
        if self.kept is not None:
            x = x[np.isin(which, self.kept)]
        return torch.from_numpy(x[:n])


def measured(modes, kept=None) -> dict:
    test = torch.from_numpy(draw(modes, 5000, seed=5)[0])
    model = Model(Sampler(modes, kept), {"method": "gan", "shape": [2], "step": 1})
    return {m.name: m for m in evaluate(model, Dataset.of(test, modes=modes)).metrics}


def test_the_mixture_itself_scores_its_floor():
    found = measured(grid_modes())
    assert (found["modes"].value, found["modes"].floor, found["modes"].unit) == (
        25,
        pytest.approx(25),
        "of 25",
    )
    assert found["high_quality"].floor == pytest.approx(98.889, abs=1e-3)
    assert abs(found["high_quality"].value - found["high_quality"].floor) < 2.5 * found["high_quality"].ci95
    assert found["reverse_kl"].value == pytest.approx(24 / 5000, rel=1)
    assert found["sliced_wasserstein"].value < 2.5 * found["sliced_wasserstein"].floor


def test_a_sampler_of_half_the_modes_is_found_out():
    found = measured(ring_modes(), kept=[0, 1, 2, 3])
    assert found["modes"].value == 4
    assert found["high_quality"].value > 97
    assert found["reverse_kl"].value == pytest.approx(np.log(2), abs=0.01)
    assert found["sliced_wasserstein"].value > 20 * found["sliced_wasserstein"].floor


def test_samples_are_compared_with_the_reference_and_not_with_the_data():
    model = Model(Sampler(ring_modes()), {"method": "gan", "shape": [2], "step": 1})
    ring = Dataset.of(torch.from_numpy(draw(ring_modes(), 5000, seed=5)[0]), modes=ring_modes())
    elsewhere = Dataset.of(torch.randn(100, 2) + 50)
    result = evaluate(model, elsewhere, reference=ring)
    assert (result.n, result.find("modes").value) == (100, 8)
    assert result.find("sliced_wasserstein").value < 0.2
    assert evaluate(model, elsewhere).find("sliced_wasserstein").value > 20
    with pytest.raises(UserError, match="`reference`: points of 3 numbers, but the model takes points of 2"):
        evaluate(model, ring, reference=Dataset.of(torch.zeros(1, 3)))


def test_without_known_modes_they_are_skipped_and_the_distance_is_not():
    model = Model(Sampler(ring_modes()), {"method": "gan", "shape": [2], "step": 1})
    result = evaluate(model, Dataset.of(torch.randn(40, 2)))
    reasons = {s.name: s.reason for s in result.skipped}
    assert all("not known" in reasons[name] for name in ("modes", "high_quality", "reverse_kl"))
    assert [m.name for m in result.metrics] == ["sliced_wasserstein"]


@pytest.fixture(scope="module")
def ring_gan(tmp_path_factory):
    """A GAN of 6 steps on 300 points of the ring. Tests change no file of it."""
    run = tmp_path_factory.mktemp("runs") / "ring"
    options = {"latent_dim": 2, "hidden": (16,)}
    return train("gan", data="ring", limit=300, steps=6, batch_size=20, run=str(run), options=options)


@pytest.fixture(scope="module")
def ring_vae(tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "ring"
    options = {"latent_dim": 2, "hidden": (32,)}
    return train("vae", data="ring", limit=2000, steps=60, batch_size=50, run=str(run), options=options)


def test_a_run_shows_its_points_as_it_trains(ring_gan):
    pictures = sorted((ring_gan / "samples").glob("*.png"))
    assert pictures[-1].name == "step-0000006.png"
    assert Image.open(pictures[0]).size == (576, 576)
    card = (ring_gan / "README.md").read_text()
    assert "points = model.sample(1000, seed=0)  # float, (1000, 2), in the data's units" in card
    assert "image" not in card


def test_a_loaded_model_is_one_of_points(ring_gan):
    model = load(ring_gan)
    assert model.shape == (2,)
    assert repr(model) == "Model(gan, 2-d points, step 6)"
    assert model.sample(30).shape == (30, 2)
    assert torch.equal(model.sample(30, seed=3), model.sample(30, seed=3))


def test_a_vae_of_points_encodes_them_and_is_not_bound_to_pixels(ring_vae):
    model = load(ring_vae)
    x = load_splits("ring", limit=5).train.x * 3
    assert model.encode(x).shape == (5, 2)
    assert model.reconstruct(x).shape == (5, 2)
    assert model.decode(100 * torch.ones(1, 2)).abs().max() > 1
    with pytest.raises(UserError, match=r"x: shape \(5, 3\); expected \(n, 2\)"):
        model.encode(torch.zeros(5, 3))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"likelihood": "bernoulli"}, "`likelihood`: bernoulli is of pixels.*gaussian"),
        ({"network": "conv"}, "`network`: conv.*mlp"),
    ],
)
def test_a_vae_of_points_says_what_it_cannot_be(options, reason, tmp_path):
    with pytest.raises(UserError, match=reason):
        train("vae", data="ring", steps=1, run=str(tmp_path / "run"), options=options)


def test_samples_go_to_a_picture_and_an_array_that_data_reads_again(ring_gan, tmp_path, capsys):
    facts = said(capsys, "sample", ring_gan, "--n", 20, "--out", tmp_path / "x.npz")
    assert facts["n"] == 20
    again = load_dataset(str(tmp_path / "x.npz"))
    assert torch.equal(again.x, load(ring_gan).sample(20))
    said(capsys, "sample", ring_gan, "--out", tmp_path / "x.png")
    assert Image.open(tmp_path / "x.png").size == (576, 576)


def test_by_default_there_are_2500_samples_in_both(ring_vae, capsys):
    assert said(capsys, "sample", ring_vae)["n"] == 2500
    assert (ring_vae / "samples.png").is_file()
    assert np.load(ring_vae / "samples.npz")["points"].shape == (2500, 2)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--grid", "3x3"], "--grid: 3x3, but points come in one picture"),
        (["--scale", "2"], "--scale: 2, but points come in one picture"),
        (["--seeds", "1", "2"], "--seeds: 1 2, a walk of images, but this model makes points"),
        (["--seeds", "1", "2", "--out", "x.gif"], "--seeds: 1 2, a walk of images"),
        (["--out", "x/"], "points have no picture each"),
    ],
)
def test_points_are_no_images(words, told, ring_gan, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["sample", str(ring_gan), *words])
    assert told in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_codes_of_points_have_an_aggregate_too(ring_vae, tmp_path, capsys):
    facts = said(
        capsys,
        "sample",
        ring_vae,
        "--from",
        "aggregate",
        "--components",
        2,
        "--n",
        9,
        "--out",
        tmp_path / "x.npz",
    )
    assert facts["from"] == "aggregate"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["sample", "--out", "x/"], "points have no picture each"),
        (["sample", "--columns", "3"], "--columns: 3, but points"),
        (["reconstruct"], "a model of points of 2 numbers, and reconstruct shows images"),
        (["traverse"], "a model of points of 2 numbers, and traverse shows images"),
        (
            ["evaluate", "--data", "digits"],
            "--data digits: images of 8 × 8 .* but the model takes points of 2",
        ),
    ],
)
def test_what_points_have_not_is_told_in_one_line(words, reason, ring_vae, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    import re

    assert re.search(reason, fails(capsys, words[0], ring_vae, *words[1:]))


def test_evaluate_keeps_its_contract(ring_gan, capsys):
    facts = said(capsys, "evaluate", ring_gan, "--limit", 400)
    assert facts["n"] == 400
    rows = {m["name"]: m for m in facts["metrics"]}
    assert set(rows) == {"modes", "high_quality", "reverse_kl", "sliced_wasserstein"}
    assert rows["modes"]["floor"] == pytest.approx(8)
    assert all(m["floor"] is not None for m in rows.values())
    assert "high quality: within 3σ of the nearest mode" in facts["notes"]
    assert {s["name"] for s in facts["skipped"]} >= {"elbo", "kl", "reconstruction_error"}
    assert len(facts["detail"]["samples_per_mode"]) == 8


def test_a_vae_of_points_is_measured_in_nats_a_point(ring_vae, capsys):
    facts = said(capsys, "evaluate", ring_vae, "--limit", 200, "--k", 5)
    units = {m["name"]: m["unit"] for m in facts["metrics"]}
    assert units["elbo"] == "nats/point"
    assert {"name": "bits/dimension", "reason": "points have no levels to be counted in bits"} in facts[
        "skipped"
    ]
    assert not any("image" in unit for unit in units.values())


def test_people_get_one_line_a_reason(ring_gan, capsys):
    main(["evaluate", str(ring_gan)])
    printed = " ".join(capsys.readouterr().out.split())
    assert "not measured: kl, active_units: the method 'gan' has no distribution of codes" in printed
    assert "10,000 test points of ring" in printed


def test_the_report_shows_points(ring_vae):
    page = (ring_vae / "report.html").read_text() if (ring_vae / "report.html").is_file() else None
    if page is None:
        from pushforward.report import write_report

        page = write_report(ring_vae).read_text()
    assert "Points drawn by the model in front of held-out ones" in page
    assert "2 numbers each" in page
    assert "Modes found" in page
    assert "nats/point" in page
    text = page.partition("<main>")[2].partition("<details><summary>Everything")[0]
    assert "nats/image" not in text


def test_info_tells_the_modes(capsys):
    main(["data", "info", "ring", "--json"])
    facts = json.loads(capsys.readouterr().out)
    assert facts["shape"] == [2]
    assert facts["modes"] == {"number": 8, "sigma": 0.01, "high_quality": "within 3σ of the nearest mode"}
    assert facts["split"] == {"how": "official", "train": 100_000, "test": 10_000}
    main(["data", "info", "ring"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "points 110,000 used of 110,000 found" in printed
    assert "8 Gaussians of σ 0.01" in printed
