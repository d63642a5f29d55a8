"""pushforward: train, understand and repair deep generative models.

Importing the package does not import torch; the names below load what they need when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pushforward.cli.progress import TrainingDisplay as TrainingDisplay
    from pushforward.models.model import Model as Model
    from pushforward.models.store import load as load
    from pushforward.report import write_report as write_report
    from pushforward.runs.run import train as train
    from pushforward.training.fit import fit as fit

__version__ = "0.1.0"

_LAZY = {
    "Model": "pushforward.models.model",
    "TrainingDisplay": "pushforward.cli.progress",
    "fit": "pushforward.training.fit",
    "load": "pushforward.models.store",
    "train": "pushforward.runs.run",
    "write_report": "pushforward.report",
}
__all__ = ["Model", "TrainingDisplay", "__version__", "fit", "load", "train", "write_report"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'pushforward' has no attribute {name!r}")
