"""A training step stays on its device and never waits for it, whatever the method: checked without a GPU.

torch's device "meta" stands for the accelerator. It refuses to be mixed with the CPU, as a GPU does. It has
no values, so what would read one (`item`, `bool`, `nonzero`, a copy to the CPU) raises, where a GPU would be
waited for. `Unqueued` refuses what waits on the way there: a copy from memory that is not pinned.
"""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from pushforward.core import Clock
from pushforward.data import Stream
from pushforward.training.steps import Stepper
from tests.runs import METHOD_NAMES, build, sources_for, streams_for

ACCELERATOR = "meta"


@pytest.fixture
def without_autocast(monkeypatch):
    """Autocast, which does not know the device "meta"."""
    monkeypatch.setattr(torch, "autocast", lambda *args, **kwargs: nullcontext())


class Unqueued(TorchFunctionMode):
    """Refuses copies of the host's memory to the accelerator that are not queued behind its work.

    So is everything that mixes both, but for scalars, which an operation takes along.
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if isinstance(result, torch.Tensor) and result.device.type == ACCELERATOR:
            copies = func in (torch.Tensor.to, torch.Tensor.copy_, torch.Tensor.cuda)
            given = [t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
            host = [t for t in given if t.device.type == "cpu" and (t.ndim or copies)]
            literal = func in (torch.tensor, torch.as_tensor, torch.Tensor.new_tensor)
            if (host and not kwargs.get("non_blocking")) or literal:
                raise RuntimeError(f"{func.__name__}: the accelerator is waited for")
        return result


def stepper(method: str) -> Stepper:
    algorithm = build(method).to(ACCELERATOR)
    algorithm.clock = Clock(steps=4, step=1)  # a first step may read: VQ-VAE's begins its codebook
    players = algorithm.players()
    optimizers = {name: torch.optim.Adam(player.parameters()) for name, player in players.items()}
    return Stepper(algorithm, players, optimizers)


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_a_step_stays_on_its_device_and_reads_nothing_back(method, without_autocast):
    step = stepper(method)
    stream = Stream(sources_for(method), batch_size=6, seed=0, device=ACCELERATOR)
    drawn = {
        name: [stream(name) for _ in range(20)] for name in streams_for(method)
    }  # what it does for that is tested by itself
    for _ in range(2):
        with Unqueued():
            reported = step(lambda name="data", n=None: drawn[name].pop())
    assert {value.device.type for value in reported.values()} == {ACCELERATOR}


FAULTS = [
    lambda x: x + torch.ones(3),
    lambda x: x.sum().item(),
    lambda x: x.cpu(),
    lambda x: torch.tensor(0.5, device=x.device),
    lambda x: x.new_tensor([0.5]),
    lambda x: torch.ones(()).to(x.device),
    lambda x: torch.ones(3).to(x),
    lambda x: x.copy_(torch.ones(3)),
    lambda x: x[torch.tensor([0, 2])],
]


@pytest.mark.parametrize("fault", FAULTS)
def test_the_stand_in_refuses_what_a_gpu_would_refuse_or_wait_for(fault):
    x = torch.zeros(3, device=ACCELERATOR)
    with pytest.raises((RuntimeError, NotImplementedError)), Unqueued():
        fault(x)


def test_the_stand_in_allows_what_is_queued():
    x = torch.zeros(3, device=ACCELERATOR)
    with Unqueued():
        x = x * torch.tensor(0.5) + torch.full((), 0.5, device=x.device)
        torch.ones(3).to(x, non_blocking=True)
