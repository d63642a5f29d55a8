"""What a checkpoint holds where several processes train: one state for all, and what each has for itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pushforward.core import Algorithm
from pushforward.errors import UserError
from pushforward.training.checkpoint import split_state
from pushforward.training.distributed import World


@torch.no_grad()
def align(algorithm: Algorithm, world: World) -> None:
    """Give every process the main one's buffers, but for those declared local.

    A checkpoint holds the main process's alone. So what a buffer learned from one process's share of a batch
    (BatchNorm's running averages, an optimal sigma) is the same after a save in a run that goes on as in one
    that resumes. It costs nothing where one process trains.
    """
    if world.size == 1:
        return
    local = algorithm.declared("local")
    state = algorithm.state_dict(keep_vars=True)
    world.agree_(
        [
            value
            for name, value in state.items()
            if isinstance(value, Tensor) and not isinstance(value, nn.Parameter) and name not in local
        ]
    )


def gather_local(algorithm: Algorithm, world: World) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """The local state of all processes, in the main one: groups of tensors and JSON-able values.

    That of the main process is in the algorithm's own group, so that one process writes nothing more.
    """
    local = algorithm.declared("local") if world.size > 1 else frozenset()
    if not local:
        return {}, {"processes": world.size}
    state = {name: value for name, value in algorithm.state_dict().items() if name in local}
    tensors, extra = split_state(state)
    others = world.gather(({name: t.cpu() for name, t in tensors.items()}, extra))[1:]
    return (
        {_group(rank): held for rank, (held, _) in enumerate(others, start=1)},
        {"processes": world.size, "local": {str(rank): e for rank, (_, e) in enumerate(others, start=1)}},
    )


def local_bytes(algorithm: Algorithm) -> int:
    """What one process's local state takes in a checkpoint."""
    local, (tensors, _) = algorithm.declared("local"), split_state(algorithm.state_dict())
    return sum(t.nbytes for name, t in tensors.items() if name in local)


def own_state(
    tensors: Mapping[str, Mapping[str, Tensor]], values: Mapping[str, Any], *, rank: int
) -> dict[str, Any]:
    """The state of this process in a checkpoint's content."""
    extra = values.get("local", {}).get(str(rank), {})
    return {**tensors["algorithm"], **values["extra"], **tensors.get(_group(rank), {}), **extra}


def refuse_other_number(algorithm: Algorithm, world: World, values: Mapping[str, Any], path: Path) -> None:
    """Raise UserError where each process has a state of its own, and there are more or fewer than there were.

    A checkpoint that does not say how many there were is of a version that saved the main process's alone.
    """
    local, were = algorithm.declared("local"), values.get("processes", 1)
    if not local or were == world.size:
        return
    how = f"`torchrun --nproc-per-node {were}`" if were > 1 else "no torchrun"
    raise UserError(
        f"--resume: {path} is of {were} process{'es' * (were > 1)}, and this is a run of {world.size}, but "
        f"each has a state of its own ({', '.join(sorted(local))}); resume with {how}, or start a new run"
    )


def _group(rank: int) -> str:
    return f"local-{rank}"
