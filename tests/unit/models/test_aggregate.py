"""Methods without a prior: what they refuse, what they log instead, and samples from a fitted mixture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from pushforward import load
from pushforward.cli import main
from pushforward.core import Clock, Snapshot, to_float
from pushforward.errors import UserError
from pushforward.models.model import Model
from pushforward.observers.choice import validation_for
from pushforward.observers.validation import DistortionValidation, Validation
from pushforward.runs.run import train
from tests.runs import build, small_images

SHARED = {"steps": 6, "limit": 60, "validation": 0.2, "image_size": 8}
OPTIONS = {"latent_dim": 3, "hidden": (16,)}


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    return {
        method: train(method, run=str(folder / method), options=OPTIONS, **SHARED) for method in ("ae", "vae")
    }


def model(method: str) -> Model:
    return Model(build(method).eval(), {"method": method, "shape": [1, 8, 8], "step": 0})


def test_an_autoencoder_says_what_it_can_do_instead_of_sampling(runs):
    with pytest.raises(
        UserError,
        match="'ae' has no prior to sample from; it can encode, decode, reconstruct",
    ):
        load(runs["ae"]).sample(3)
    with pytest.raises(UserError, match="log_prob: the method 'ae' has no density or bound"):
        load(runs["ae"]).log_prob(torch.zeros(1, 1, 8, 8))


def test_its_run_keeps_the_best_by_what_it_has(runs):
    best = json.loads((runs["ae"] / "best" / "model.json").read_text())
    assert best["metric"] == "validation_log_px_given_z"
    rows = [json.loads(line) for line in (runs["ae"] / "metrics.jsonl").read_text().splitlines()]
    name = "metric/validation_log_px_given_z"
    logged = [row[name] for row in rows if name in row]
    assert best["value"] == max(logged)
    assert not (runs["ae"] / "samples").exists()
    assert "model.reconstruct(x)" in (runs["ae"] / "README.md").read_text()
    assert "model.sample(16" in (runs["vae"] / "README.md").read_text()


def test_the_observer_fits_the_algorithm():
    assert validation_for(build("vae")) is Validation
    assert validation_for(build("ae")) is DistortionValidation
    assert validation_for(torch.nn.Linear(1, 1)) is None


def test_the_distortion_is_the_mean_over_uneven_chunks(tmp_path):
    algorithm, data = build("ae").eval(), small_images(7)
    observer = DistortionValidation(data, every=1, batch_size=3)
    seen = observer.observe(Snapshot(algorithm, Clock(step=1), tmp_path, torch.device("cpu")))
    expected = -algorithm.distortion(to_float(data.x)).mean().item()
    assert seen.metrics[algorithm.selector.metric] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("method", ["ae", "vae"])
def test_the_mixture_has_the_moments_of_the_codes(method):
    m = model(method)
    images = small_images(300).x
    codes = m.aggregate(images, components=3)
    z = m.encode(images)
    spread = (
        z.var(0) if method == "ae" else z.var(0) + m.algorithm.posterior(to_float(images))[1].exp().mean(0)
    )
    torch.testing.assert_close(codes.mean.float(), z.mean(0), atol=0.25, rtol=0)
    torch.testing.assert_close(codes.variance.float(), spread, atol=0.05, rtol=0.25)


def test_samples_are_decoded_draws_and_follow_their_seed():
    m = model("ae")
    codes = m.aggregate(small_images(50).x, components=2)
    state = torch.get_rng_state()
    a, b, c = (m.sample_aggregate(5, codes, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert a.shape == (5, 1, 8, 8)
    with pytest.raises(UserError, match="n: 0"):
        m.sample_aggregate(0, codes)
    with pytest.raises(UserError, match="components: 26; expected from 1 to 25"):
        m.aggregate(small_images(50).x, components=26)


@pytest.mark.parametrize("latent", ["bernoulli", "categorical"])
def test_discrete_codes_are_refused(latent):
    algorithm = build("discrete-vae", latent=latent).eval()
    discrete = Model(algorithm, {"method": "vae", "shape": [1, 8, 8], "step": 0})
    with pytest.raises(UserError, match=r"codes are discrete.*sample from the prior"):
        discrete.aggregate(small_images(50).x, components=2)


@pytest.mark.parametrize("method", ["ae", "vae"])
def test_the_command_samples_from_the_aggregate(runs, method, tmp_path, capsys):
    out = tmp_path / "x.png"
    main(["sample", str(runs[method]), "--from", "aggregate", "--components=2", f"--out={out}", "--json"])
    assert json.loads(capsys.readouterr().out)["from"] == "aggregate"
    assert out.exists()


def test_the_command_names_the_way_out(runs, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["sample", str(runs["ae"])])
    assert stop.value.code == 2
    assert "no prior to sample from; fit one to its codes with --from aggregate" in capsys.readouterr().err
