"""kill -9 at random moments, resume, and the weights are those of a run that was never killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ARGS = [
    "--data=digits",
    "--steps=240",
    "--batch-size=64",
    "--checkpoint-every=20",
    "--latent-dim=4",
    "--hidden=32",
    "--ema=0.99",
]


def pushforward(*words: str, **kwargs) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "pushforward", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # the suite may run under nohup
        **kwargs,
    )


def finish(process: subprocess.Popen) -> str:
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    return out + err


def wait_for_checkpoint(folder: Path, process: subprocess.Popen) -> None:
    until = time.monotonic() + 120
    while not list((folder / "checkpoints").glob("step-*")) and process.poll() is None:
        assert time.monotonic() < until, "no checkpoint within two minutes"
        time.sleep(0.005)


def files_that_matter(folder: Path) -> dict[str, bytes]:
    """The weights, and every picture of training."""
    weights = [folder / "model.safetensors", folder / "best" / "model.safetensors"]
    paths = [*weights, *folder.glob("samples/*.png")]
    return {str(p.relative_to(folder)): p.read_bytes() for p in paths}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    finish(pushforward("train", "vae", *ARGS, f"--run={folder}"))
    return folder


def killed_and_resumed(folder: Path, delays: list[float]) -> int:
    """Kill -9 so many seconds after each start's first sight of a checkpoint; returns how many hit."""
    hits = 0
    words = ["vae", *ARGS, f"--run={folder}"]
    for delay in delays:
        process = pushforward("train", *words)
        wait_for_checkpoint(folder, process)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        hits += process.returncode == -signal.SIGKILL
        words = ["--resume", str(folder)]
    finish(pushforward("train", *words))
    return hits


@pytest.mark.timeout(600)
def test_a_killed_and_resumed_run_is_bit_equal(whole, tmp_path):
    moments = random.Random(0)
    hits = killed_and_resumed(tmp_path / "run", [moments.uniform(0, 0.5) for _ in range(2)])
    assert hits == 2
    assert files_that_matter(tmp_path / "run") == files_that_matter(whole)


@pytest.mark.paper
@pytest.mark.timeout(3000)
def test_twenty_kills_at_random_moments(whole, tmp_path):
    """The claim in full: twenty kills, twenty bit-equal resumes."""
    moments = random.Random()
    equal = 0
    for i in range(20):
        folder = tmp_path / f"run{i}"
        process = pushforward("train", "vae", *ARGS, f"--run={folder}")
        while not (folder / "config.yaml").exists() and process.poll() is None:
            time.sleep(0.002)
        time.sleep(moments.uniform(0, 1.2))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        finish(pushforward("train", "--resume", str(folder)))
        equal += files_that_matter(folder) == files_that_matter(whole)
    assert equal == 20


def test_a_signal_saves_and_exits_by_its_number(tmp_path):
    for number, status in ((signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)):
        folder = tmp_path / str(status)
        process = pushforward("train", "vae", *ARGS, "--steps=100000", f"--run={folder}")
        wait_for_checkpoint(folder, process)
        time.sleep(0.5)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
        assert process.returncode == status, err
        assert f"--resume {folder}" in err
        assert "Traceback" not in err
        assert len(list((folder / "checkpoints").glob("step-*"))) > 1


def test_a_second_run_in_the_folder_is_refused_while_the_first_lives(tmp_path):
    folder = tmp_path / "run"
    process = pushforward("train", "vae", *ARGS, "--steps=100000", f"--run={folder}")
    try:
        wait_for_checkpoint(folder, process)
        other = pushforward("train", "--resume", str(folder))
        _, err = other.communicate(timeout=60)
        assert other.returncode == 2
        assert f"in use by process {process.pid}" in err
    finally:
        process.kill()
        process.communicate()
