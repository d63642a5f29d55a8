"""Refuse a data set that would not fit into memory before decoding it. Torch-free."""

from __future__ import annotations

import os

from pushforward.errors import UserError


def available_bytes() -> int | None:
    """Memory that can be had without swapping, or None where the system does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:  # noqa: PTH123
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return None


def require_memory(source: str, images: int, height: int, width: int, channels: int) -> None:
    """Raise UserError where so many images, held twice while they are put together, exceed the memory."""
    need, have = 2 * images * height * width * channels, available_bytes()
    if have is not None and need > have:
        raise UserError(
            f"--data {source}: {images:,} images of {width} × {height} × {channels} need about "
            f"{need / 2**30:.1f} GiB to load, {have / 2**30:.1f} GiB are free; "
            "give a smaller --image-size, --channels 1, or fewer images"
        )
