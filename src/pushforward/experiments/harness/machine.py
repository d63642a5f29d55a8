"""Where a result was measured: hardware and versions. Torch-free until a cell has imported torch."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import sys
from pathlib import Path

PACKAGES = ("numpy", "scipy", "torch")


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def hardware() -> str:
    """Processor and, where torch is loaded and sees one, accelerator."""
    parts = [f"{_processor()}, {cores()} cores"]
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        parts.append(torch.cuda.get_device_name())
    return "; ".join(parts)


def versions() -> dict[str, str]:
    """Of python, pushforward and the packages that compute."""
    import pushforward

    found = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), "pushforward": pushforward.__version__, **found}


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    name = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return name.group(1) if name else platform.processor() or platform.machine()
