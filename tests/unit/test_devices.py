"""A training step stays on its device and never waits for it, whatever the method: checked without a GPU.

torch's device "meta" stands for the accelerator. It refuses to be mixed with the CPU, as a GPU does. It has
no values, so what would read one (`item`, `bool`, `nonzero`, a copy to the CPU) raises, where a GPU would be
waited for.
"""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch

from pushforward.core import Clock
from pushforward.data import Stream
from pushforward.training.steps import Stepper
from tests.runs import METHOD_NAMES, build, images_for

ACCELERATOR = "meta"


@pytest.fixture
def without_autocast(monkeypatch):
    """Autocast, which does not know the device "meta"."""
    monkeypatch.setattr(torch, "autocast", lambda *args, **kwargs: nullcontext())


def stepper(method: str) -> Stepper:
    algorithm = build(method).to(ACCELERATOR)
    algorithm.clock = Clock(steps=4, step=1)  # a first step may read: VQ-VAE's begins its codebook
    players = algorithm.players()
    optimizers = {name: torch.optim.Adam(player.parameters()) for name, player in players.items()}
    return Stepper(algorithm, players, optimizers)


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_a_step_stays_on_its_device_and_reads_nothing_back(method, without_autocast):
    step = stepper(method)
    draw = Stream({"data": images_for(method)}, batch_size=6, seed=0, device=ACCELERATOR)
    for _ in range(2):
        reported = step(draw)
    assert {value.device.type for value in reported.values()} == {ACCELERATOR}


@pytest.mark.parametrize("fault", [lambda x: x + torch.ones(3), lambda x: x.sum().item(), lambda x: x.cpu()])
def test_the_stand_in_refuses_what_a_gpu_would_refuse_or_wait_for(fault):
    with pytest.raises((RuntimeError, NotImplementedError)):
        fault(torch.zeros(3, device=ACCELERATOR))
