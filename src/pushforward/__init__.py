"""pushforward: train, understand and repair deep generative models.

Importing the package does not import torch; the names below load what they need when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pushforward.models import Model as Model
    from pushforward.models import load as load
    from pushforward.runs import train as train

__version__ = "0.1.0"

_LAZY = {"load": "pushforward.models", "Model": "pushforward.models", "train": "pushforward.runs"}
__all__ = ["Model", "__version__", "load", "train"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'pushforward' has no attribute {name!r}")
