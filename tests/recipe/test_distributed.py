"""Two processes with half the batch each are one process; a dead one ends the others; resumes are exact."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pushforward.files import read_metrics
from tests.pairs import Pair, train_pairs
from tests.runs import METHOD_NAMES

ARGS = ["--data=digits", "--batch-size=64", "--checkpoint-every=20", "--latent-dim=4", "--hidden=32"]
ENV = {**os.environ, "OMP_NUM_THREADS": "1"}


def run(words: list[str], **env: str) -> subprocess.CompletedProcess:
    return subprocess.run(words, capture_output=True, text=True, timeout=240, env={**ENV, **env})


def torchrun(*options: str) -> list[str]:
    module = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    return [*module, *options, "-m", "--", "pushforward"]


def losses(folder: Path) -> list[float]:
    return [row["loss/vae"] for row in read_metrics(folder / "metrics.jsonl") if "loss/vae" in row]


@pytest.mark.parametrize("likelihood", [["--likelihood=bernoulli"], ["--likelihood=gaussian", "--sigma=0.3"]])
def test_two_processes_equal_one(tmp_path, likelihood):
    one, two = tmp_path / "one", tmp_path / "two"
    words = ["train", "vae", *ARGS, *likelihood, "--steps=60"]
    single = run([sys.executable, "-m", "pushforward", *words, f"--run={one}"])
    assert single.returncode == 0, single.stderr
    double = run([*torchrun(), *words, f"--run={two}"])
    assert double.returncode == 0, double.stderr
    assert losses(two) == pytest.approx(losses(one), rel=1e-4)
    a, b = load_file(one / "model.safetensors"), load_file(two / "model.safetensors")
    for name in a:
        assert torch.allclose(a[name], b[name], atol=2e-4), name


@pytest.mark.parametrize("views", [["--noise=0.3"], ["--augment=dag", "--dag-heads-per-step=1"]])
def test_two_processes_equal_one_in_a_game(tmp_path, views):
    """Noise of z, of the views and of the penalty's lines is one process's, and packs stay together."""
    words = ["train", "wgan-gp", *ARGS, *views, "--pack=2", "--steps=12", "--critic-norm=spectral"]
    for folder, start in (("one", [sys.executable, "-m", "pushforward"]), ("two", torchrun())):
        result = run([*start, *words, f"--run={tmp_path / folder}"])
        assert result.returncode == 0, result.stderr
    one, two = (
        [{k: v for k, v in row.items() if k.startswith(("loss/", "info/"))} for row in read_metrics(path)]
        for path in (tmp_path / "one" / "metrics.jsonl", tmp_path / "two" / "metrics.jsonl")
    )
    assert any("loss/critic" in row for row in one)
    for a, b in zip(one, two, strict=True):
        assert b == pytest.approx(a, rel=1e-3)
    a, b = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    for name in a:
        assert torch.allclose(a[name], b[name], atol=2e-4), name


def test_a_batch_that_does_not_divide_is_refused(tmp_path):
    result = run([*torchrun(), "train", "vae", *ARGS, "--batch-size=63", f"--run={tmp_path / 'run'}"])
    assert result.returncode != 0
    assert "--batch-size 63: expected a positive multiple of the 2 processes" in result.stderr


def dying(tmp_path: Path, *, once: Path | None) -> list[str]:
    """A command that trains on two processes, of which rank 1 kills itself at step 25."""
    script = tmp_path / "dying.py"
    script.write_text(
        f"""
import os, pathlib, signal
from pushforward.training import loop

step = loop.Trainer.one_step
once = {str(once)!r} if {once is not None} else None

def dying(self):
    if self.clock.step == 25 and self.world.rank == 1 and not (once and pathlib.Path(once).exists()):
        if once:
            pathlib.Path(once).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    step(self)

loop.Trainer.one_step = dying
from pushforward.cli import main
main()
"""
    )
    return ["--", str(script), "train", "vae", *ARGS, "--steps=60", f"--run={tmp_path / 'run'}"]


def test_a_rank_that_dies_ends_the_others_with_a_message(tmp_path):
    words = torchrun()[:-3]
    result = run([*words, *dying(tmp_path, once=None)])
    assert result.returncode != 0
    assert "another process of this run is gone" in result.stderr
    assert not (tmp_path / "run" / "DONE").exists()


def test_torchrun_restarts_resume(tmp_path):
    words = torchrun("--max-restarts=1")[:-3]
    result = run([*words, *dying(tmp_path, once=tmp_path / "died")])
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "died").exists()
    assert (tmp_path / "run" / "DONE").exists()
    assert "resumed" in result.stderr
    straight = tmp_path / "straight"
    single = run(
        [sys.executable, "-m", "pushforward", "train", "vae", *ARGS, "--steps=60", f"--run={straight}"]
    )
    assert single.returncode == 0, single.stderr
    assert losses(tmp_path / "run")[-1] == pytest.approx(losses(straight)[-1], rel=1e-2)


TOYS = ("Centred", "Careless", "Pooled")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    jobs = {name: (f"tests.toys:{name}", {}) for name in TOYS}
    jobs |= {name: (name, {}) for name in METHOD_NAMES}
    jobs["beta-vae, sigma"] = ("beta-vae", {"sigma": 0.5})
    return train_pairs(tmp_path_factory.mktemp("pairs"), jobs)


@pytest.mark.parametrize("name", [*TOYS, *METHOD_NAMES])
def test_two_that_are_cut_and_resumed_equal_two_that_were_left_alone(pairs, name):
    """Bit for bit, all that either holds: also where each has a pool, or was careless with a buffer."""
    assert pairs[name].unlike == []


@pytest.mark.parametrize(
    "name", ["Centred", "Pooled", "beta-vae, sigma", "discrete-vae, nvil", "vq-vae", "vq-vae, conv"]
)
def test_what_goes_through_a_yield_is_the_same_in_both(pairs, name):
    assert pairs[name] == Pair()


def test_what_does_not_is_seen(pairs):
    """An optimal sigma and BatchNorm's averages are of one process's share of the batch, until a save."""
    assert pairs["Careless"].drifted == ["algorithm/mean"]
    assert pairs["vae"].drifted == ["algorithm/likelihood.log_sigma"]
    assert all(name.endswith(("running_mean", "running_var")) for name in pairs["gan, batch"].drifted)
