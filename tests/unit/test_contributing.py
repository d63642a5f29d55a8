"""CONTRIBUTING.md's algorithm in one file works as it stands there."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import pushforward
from pushforward import methods
from pushforward.errors import UserError
from tests.runs import small_images
from tests.unit import test_conformance

PAGE = Path(__file__).parents[2] / "CONTRIBUTING.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)


def follow(example: int, root: Path, monkeypatch) -> str:
    """Do what the page says in its first or second example: write the files, add the line."""
    lines = [i for i, block in enumerate(BLOCKS) if block.startswith("Method(")]
    start = 0 if example == 0 else lines[example - 1] + 1
    *files, line = BLOCKS[start : lines[example] + 1]
    for block in files:
        path = Path(re.match(r"# src/(\S+\.py)\n", block)[1])
        name = ".".join(path.with_suffix("").parts)
        source = root / path
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(block)
        spec = importlib.util.spec_from_file_location(name, source)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
    method = eval(line, {"Method": methods.Method})
    monkeypatch.setitem(methods.METHODS, method.name, method)
    return method.name


@pytest.fixture
def dae(tmp_path, monkeypatch) -> str:
    """The autoencoder's name."""
    return follow(0, tmp_path, monkeypatch)


@pytest.fixture
def bgan(tmp_path, monkeypatch) -> str:
    """The GAN's."""
    return follow(1, tmp_path, monkeypatch)


@pytest.mark.parametrize(
    "test",
    [
        test_conformance.test_only_the_declared_players_move,
        test_conformance.test_simultaneous_updates_have_independent_gradients,
        test_conformance.test_players_are_disjoint_and_hold_every_parameter,
        test_conformance.test_state_is_tensors_and_json,
    ],
)
def test_it_conforms(dae, test):
    test(dae)


@pytest.mark.parametrize(
    "test",
    [
        test_conformance.test_observers_leave_weights_and_random_streams_alone,
        test_conformance.test_a_resumed_run_is_bit_identical,
    ],
)
def test_it_conforms_as_a_run(dae, test, tmp_path):
    test(dae, tmp_path)


def test_it_trains_and_loads(dae, tmp_path):
    images = small_images(60).x
    np.savez(tmp_path / "blobs.npz", images=images[:, 0].numpy())
    folder = pushforward.train(
        dae,
        data=str(tmp_path / "blobs.npz"),
        run=str(tmp_path / "run"),
        steps=200,
        batch_size=20,
        options={"latent_dim": 40, "hidden": (64,)},
    )
    model = pushforward.load(folder)
    x = images.float() / 127.5 - 1
    fresh = methods.recipe_class(dae)(latent_dim=40, hidden=(64,)).build((1, 8, 8))
    with torch.no_grad():
        before = (fresh.reconstruct(x) - x).square().mean()
    assert (model.reconstruct(images) - x).square().mean() < before / 2
    assert model.encode(images).shape == (60, 40)
    with pytest.raises(UserError, match=r"'dae' has no prior to sample from; it can encode"):
        model.sample(1)


def test_the_gan_conforms_learns_points_and_is_diagnosed(bgan, tmp_path):
    test_conformance.test_only_the_declared_players_move(bgan)
    test_conformance.test_a_resumed_run_is_bit_identical(bgan, tmp_path)
    points = 3 + 0.5 * torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
    np.savez(tmp_path / "points.npz", points=points.numpy())
    folder = pushforward.train(
        bgan,
        data=str(tmp_path / "points.npz"),
        run=str(tmp_path / "run"),
        steps=400,
        options={"latent_dim": 2, "hidden": (32,), "lr": 2e-3},
    )
    samples = pushforward.load(folder).sample(500)
    assert (samples.mean(0) - 3).norm() < 1.5  # it starts near 0, 4.2 away
    assert any("metric/critic_accuracy" in line for line in (folder / "metrics.jsonl").open())
