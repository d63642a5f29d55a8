"""Data: sources (folder, zip, npz, IDX, named sets), decoding, splits, subsets, and the training stream.

Importing this package does not import torch; the names below load what they need when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from pushforward.data.rows import Scan, Skip

if TYPE_CHECKING:
    from pushforward.data.dataset import Dataset as Dataset
    from pushforward.data.dataset import Splits as Splits
    from pushforward.data.dataset import load_dataset as load_dataset
    from pushforward.data.dataset import load_splits as load_splits
    from pushforward.data.stream import Stream as Stream

_LAZY = {
    "Dataset": "pushforward.data.dataset",
    "Splits": "pushforward.data.dataset",
    "Stream": "pushforward.data.stream",
    "load_dataset": "pushforward.data.dataset",
    "load_splits": "pushforward.data.dataset",
}
__all__ = ["Dataset", "Scan", "Skip", "Splits", "Stream", "load_dataset", "load_splits"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'pushforward.data' has no attribute {name!r}")
