"""Refuse a data set that would not fit into memory before decoding it. Torch-free."""

from __future__ import annotations

import os
from pathlib import Path

from pushforward.data.rows import BadSource

_GROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def available_bytes() -> int | None:
    """Memory that can be had without swapping, or None where the system does not say."""
    try:
        available = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):  # counts reclaimable caches too
                available = int(line.split()[1]) * 1024
    except (OSError, ValueError, AttributeError):
        return None
    try:
        return min(available, int(_GROUP_LIMIT.read_text()))
    except (OSError, ValueError):  # no group, or "max"
        return available


def require_memory(images: int, height: int, width: int, channels: int) -> None:
    """Raise BadSource where so many images, held twice while they are put together, exceed the memory."""
    need, have = 2 * images * height * width * channels, available_bytes()
    if have is not None and need > have:
        raise BadSource(
            f"{images:,} images of {width} × {height} × {channels} need about {need / 2**30:.1f} GiB "
            f"to load, {have / 2**30:.1f} GiB are free; give a smaller --image-size, --channels 1, or "
            "fewer images"
        )
