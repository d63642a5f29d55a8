"""The numeric precision of the forward pass."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Literal

import torch

from pushforward.training.distributed import GlobalNoise, World
from pushforward.training.steps import Context

Precision = Literal["fp32", "bf16"]


def slower_here(precision: Precision, device: torch.device) -> bool:
    """Whether this precision is slower than fp32: bfloat16 on a processor without matrix units (AMX)."""
    if precision != "bf16" or device.type != "cpu":
        return False
    try:
        return "amx_bf16" not in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False  # another system: nothing is known


def forward_context(precision: Precision, device: torch.device, world: World) -> Context:
    """What to enter around an algorithm's own code: autocast (its cache off, since weights move), noise."""

    def bf16() -> AbstractContextManager[object]:
        return torch.autocast(device.type, dtype=torch.bfloat16, cache_enabled=False)

    if world.size == 1:
        return bf16 if precision == "bf16" else nullcontext

    def sharded() -> AbstractContextManager[object]:
        stack = ExitStack()
        stack.enter_context(GlobalNoise(world))
        if precision == "bf16":
            stack.enter_context(bf16())
        return stack

    return sharded
