"""Looks at sample quality: what they measure, that they leave no trace, and how they are spaced."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from pushforward.cli import main
from pushforward.core import Algorithm, Clock, Snapshot
from pushforward.data import Dataset, load_dataset
from pushforward.observers import quality
from pushforward.observers.quality import Quality
from pushforward.runs import looks
from tests.stubs import Player


def look(model: Algorithm, data: Dataset, tmp_path) -> dict[str, float]:
    observer = Quality(data, every=5, seen=("efficientnet-lite0", "efficientnet-lite1"))
    told = observer.observe(Snapshot(model, Clock(5, 10), tmp_path, torch.device("cpu")))
    return {key.partition("[")[0]: value for key, value in told.metrics.items()}


def test_real_images_beat_noisy_ones_and_what_is_not_finite_says_nothing(cache, tmp_path):
    data = load_dataset("digits").subset(range(200))
    real, noisy = (look(Player(data.x, noise), data, tmp_path) for noise in (0.0, 0.5))
    assert real["mind"] < 0.1 * noisy["mind"]
    assert real["p_precision"] > noisy["p_precision"]
    assert look(Player(data.x, float("nan")), data, tmp_path) == {}


def test_it_looks_every_so_often_and_at_the_end(cache):
    data = load_dataset("digits").subset(range(60))
    observer = Quality(data, every=4, seen=("efficientnet-lite0", "efficientnet-lite1"))
    assert [s for s in range(11) if observer.due(Clock(s, 10))] == [4, 8, 10]
    assert observer.selector.metric == "mind[random-conv@32]"
    assert not observer.selector.higher_is_better
    assert not Quality(data, every=0).due(Clock(10, 10))


@pytest.fixture
def images(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "x.npz", images=rng.integers(0, 255, (80, 8, 8), dtype=np.uint8))
    return tmp_path / "x.npz"


def run(images, folder, *words: str) -> list[dict]:
    small = ["--latent-dim", "3", "--hidden", "8", "--batch-size", "10", "--sample-every", "0"]
    main(["train", "gan", "--data", str(images), "--steps", "6", "--run", str(folder), *small, *words])
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_run_logs_looks_keeps_the_best_and_trains_the_same(images, tmp_path, cache, monkeypatch):
    monkeypatch.setattr(quality, "LEAST", 20)
    rows = run(images, tmp_path / "with", "--evaluate-every", "3")
    key = "metric/mind[efficientnet-lite0@96]"
    told = {row["step"]: row[key] for row in rows if key in row}
    assert set(told) == {3, 6}
    best = json.loads((tmp_path / "with" / "best" / "model.json").read_text())
    assert best["metric"] == key.removeprefix("metric/")
    assert best["value"] == min(told.values())
    run(images, tmp_path / "without", "--evaluate-every", "0")
    assert not (tmp_path / "without" / "best").exists()
    names = ("with", "without")
    assert len({(tmp_path / name / "model.safetensors").read_bytes() for name in names}) == 1


def test_the_default_is_spaced_by_its_cost_and_kept(images, tmp_path, cache, monkeypatch):
    monkeypatch.setattr(looks, "LEAST_STEPS", 5)
    monkeypatch.setattr(quality, "LEAST", 20)
    monkeypatch.setattr(looks, "seconds_a_step", lambda trainer: 1e9)  # a look costs nothing beside
    rows = run(images, tmp_path / "cheap")
    assert "evaluate_every: 1" in (tmp_path / "cheap" / "config.yaml").read_text()
    assert sum("metric/mind[efficientnet-lite0@96]" in row for row in rows) >= 1
    monkeypatch.setattr(looks, "seconds_a_step", lambda trainer: 1e-9)
    run(images, tmp_path / "costly")
    assert "evaluate_every: 0" in (tmp_path / "costly" / "config.yaml").read_text()
    assert not (tmp_path / "costly" / "best").exists()


def test_timing_a_look_leaves_no_trace(images, tmp_path, cache, monkeypatch):
    monkeypatch.setattr(quality, "LEAST", 20)
    run(images, tmp_path / "plain", "--evaluate-every", "0")
    monkeypatch.setattr(looks, "LEAST_STEPS", 5)
    run(images, tmp_path / "timed")
    names = ("plain", "timed")
    assert len({(tmp_path / name / "model.safetensors").read_bytes() for name in names}) == 1
