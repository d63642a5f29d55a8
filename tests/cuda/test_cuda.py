"""What only a GPU can show: every method trains on it, resumes to the bit, and never waits for it in a step.

    pytest -m cuda tests/cuda

They are left out where there is no GPU. What can be known without one is in `tests/unit/test_devices.py`.
`TEST_DEVICE=cpu` runs them on the CPU, to try the tests themselves.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import pushforward
from pushforward.data import Stream
from pushforward.randomness import random_state, restore_random_state, seed_everything
from pushforward.training.loop import Trainer
from pushforward.training.settings import LoopSettings
from tests.runs import METHOD_NAMES, assert_same, build, sources_for, weights

DEVICE = torch.device(os.environ.get("TEST_DEVICE", "cuda"))
ON_GPU = DEVICE.type == "cuda"
pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(ON_GPU and not torch.cuda.is_available(), reason="no GPU"),
]
needs_gpu = pytest.mark.skipif(not ON_GPU, reason="about CUDA itself")
# cuBLAS is deterministic only with this, which it reads when it starts.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


@pytest.fixture
def deterministic() -> Iterator[None]:
    """torch's deterministic kernels; an operation that has none raises."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def trainer(folder: Path, method: str, *, steps: int, **settings: Any) -> Trainer:
    """As `tests.runs.trainer`, on the device."""
    folder.mkdir(parents=True, exist_ok=True)
    seed_everything(0)
    algorithm = build(method).to(DEVICE)
    stream = Stream(sources_for(method), batch_size=6, seed=0, device=DEVICE)
    settings = {"checkpoint_every": 4, "log_every": 3, **settings}
    return Trainer(algorithm, stream, folder, steps=steps, settings=LoopSettings(**settings), device=DEVICE)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("method", METHOD_NAMES)
def test_every_method_trains(method, precision, tmp_path):
    t = trainer(tmp_path, method, steps=6, precision=precision)
    before = weights(t.algorithm)
    t.start()
    t.run()  # raises Diverged at a NaN
    after = weights(t.algorithm)
    assert {v.device.type for v in after.values()} == {DEVICE.type}
    assert {p.dtype for p in t.algorithm.parameters()} == {torch.float32}
    assert any(not torch.equal(before[k], after[k]) for k in before)


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_a_resumed_run_is_bit_identical(method, tmp_path, deterministic):
    whole = trainer(tmp_path / "whole", method, steps=12)
    whole.start()
    whole.run()
    part = trainer(tmp_path / "part", method, steps=12)
    part.start()
    for _ in range(9):  # killed at step 9
        part.one_step()
        if part.clock.step == 8:
            part.save()
    torch.randn(5, device=DEVICE)  # another process has used the stream since
    resumed = trainer(tmp_path / "part", method, steps=12)
    resumed.resume()
    resumed.run()
    assert_same(weights(whole.algorithm), weights(resumed.algorithm))


@needs_gpu
@pytest.mark.parametrize("method", METHOD_NAMES)
def test_a_step_does_not_wait_for_the_gpu(method, tmp_path, monkeypatch):
    t = trainer(tmp_path, method, steps=100, checkpoint_every=0, log_every=100)
    for _ in range(2):  # the first step may: kernels are chosen, VQ-VAE begins its codebook
        t.one_step()
    # None of these steps is logged. Where one fails the loop looks for NaN, which waits, and hides the cause.
    monkeypatch.setattr(t, "flush", lambda: None)
    monkeypatch.setattr(t, "_refuse_non_finite", lambda: None)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(6):  # 48 of 37 images: a new epoch begins
            t.one_step()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_the_random_stream_of_the_device_is_saved_and_put_back():
    torch.randn(3, device=DEVICE)
    tensors, values = random_state()
    drawn = torch.randn(7, device=DEVICE)
    restore_random_state(tensors, values)
    assert torch.equal(drawn, torch.randn(7, device=DEVICE))


def test_the_convolutions_of_a_gan_see_channels_last(tmp_path):
    t = trainer(tmp_path, "gan, batch", steps=2)
    seen: list[torch.Tensor] = []
    for module in t.algorithm.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.register_forward_pre_hook(lambda _, args: seen.append(args[0].detach()))
    t.one_step()
    wide = [x for x in seen if min(x.shape[1:]) > 1]  # with one channel or one pixel the layouts are one
    assert wide
    assert all(x.is_contiguous(memory_format=torch.channels_last) for x in wide)


def test_a_killed_command_goes_on_and_its_model_samples(tmp_path):
    run = tmp_path / "run"
    options = ["--device", str(DEVICE), "--steps", "60", "--checkpoint-every", "10"]
    small = ["--latent-dim", "2", "--hidden", "16"]
    command = [sys.executable, "-m", "pushforward", "train"]
    first = subprocess.Popen(
        [*command, "gan", "--data", "ring", "--run", str(run), *options, *small], stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 240
    while not list(run.glob("checkpoints/step-*10")) and first.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.wait()
    subprocess.run([*command, "--resume", str(run)], check=True, stdout=subprocess.DEVNULL, timeout=240)
    model = pushforward.load(run, device=str(DEVICE))
    assert torch.isfinite(model.sample(5)).all()
