"""The numeric precision of the forward pass."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Literal

import torch

from pushforward.training.distributed import GlobalNoise, World
from pushforward.training.steps import Context

Precision = Literal["fp32", "bf16"]


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
