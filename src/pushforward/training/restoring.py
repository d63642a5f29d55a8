"""Put the tensors of a checkpoint back, all of them or none without a word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from pushforward.core import Algorithm
from pushforward.errors import UserError
from pushforward.training.checkpoint import restore_optimizer
from pushforward.training.optim import Averages


class Restorable(Protocol):
    """What a trainer has to be put back."""

    algorithm: Algorithm
    optimizers: dict[str, torch.optim.Optimizer]
    averages: Averages


def restore_tensors(
    trainer: Restorable, tensors: Mapping[str, Mapping[str, Tensor]], state: Mapping[str, Any]
) -> None:
    """Weights, moments and averages. state: the algorithm's own, of this process.

    Raises UserError where the checkpoint lacks the moments of a player, or does not fit.
    """
    lacking = [name for name in trainer.optimizers if f"optimizer-{name}" not in tensors]
    if lacking:
        raise UserError(
            f"--resume: the checkpoint has no moments of the optimiser of {', '.join(lacking)}, so training "
            "would not go on as it was; start a new run with `pushforward train`"
        )
    try:
        trainer.algorithm.load_state_dict(dict(state))
        for name, optimizer in trainer.optimizers.items():
            restore_optimizer(optimizer, tensors[f"optimizer-{name}"])
        trainer.averages.restore(tensors["averages"])
    except (RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"--resume: the checkpoint does not fit this model ({reason}); resume with the version and the "
            "config that wrote it, or start a new run"
        ) from error
