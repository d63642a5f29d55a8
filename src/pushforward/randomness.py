"""Random streams of every kind: seed, save, restore, and keep aside while an observer looks."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch on every device."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - libraries still read the global state
    torch.manual_seed(seed)


def random_state() -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The state of every stream, as tensors and JSON-able values."""
    state: Any = np.random.get_state()  # noqa: NPY002
    kind, keys, position, has_gauss, gauss = state
    tensors = {"torch": torch.get_rng_state(), "numpy": torch.from_numpy(keys.astype(np.int64))}
    if torch.cuda.is_available():  # the stream of this process's own device; it is the same in every rank
        tensors["cuda"] = torch.cuda.get_rng_state()
    if torch.backends.mps.is_available():
        tensors["mps"] = torch.mps.get_rng_state()
    version, internal, gauss_next = random.getstate()
    values = {
        "numpy": [kind, int(position), int(has_gauss), float(gauss)],
        "python": [version, list(internal), gauss_next],
    }
    return tensors, values


def restore_random_state(tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
    """The inverse of `random_state`. Streams of devices that are not here are left out."""
    torch.set_rng_state(tensors["torch"])
    kind, position, has_gauss, gauss = values["numpy"]
    keys = tensors["numpy"].numpy().astype(np.uint32)
    np.random.set_state((kind, keys, position, has_gauss, gauss))  # noqa: NPY002
    version, internal, gauss_next = values["python"]
    random.setstate((version, tuple(internal), gauss_next))
    if "cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["cuda"])
    if "mps" in tensors and torch.backends.mps.is_available():
        torch.mps.set_rng_state(tensors["mps"])


class OwnStreams:
    """Streams of a seed that a block is run on, and others later from where it left them."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._left: tuple[Mapping[str, Tensor], Mapping[str, Any]] | None = None

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Run a block on them, and put those that were there back."""
        saved = random_state()
        if self._left is None:
            seed_everything(self._seed)
        else:
            restore_random_state(*self._left)
        try:
            yield
        finally:
            self._left = random_state()
            restore_random_state(*saved)


@contextmanager
def aside(seed: int) -> Iterator[None]:
    """Run a block on freshly seeded streams and put the old ones back."""
    with OwnStreams(seed).entered():
        yield
