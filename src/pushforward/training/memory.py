"""Freed memory of the CPU, kept for the next step.

The C library gives blocks over 32 MiB back to the system when they are freed, and gets fresh pages for the
next one, each of which the system must first fill with zeros. A step frees and asks for the same blocks as
the step before it: with activations of that size, zeroing took up to a quarter of a step.
"""

from __future__ import annotations

import ctypes
import functools
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h
KEPT = 2**31 - 1  # bytes: larger blocks, such as data sets, still come and go one by one


@functools.cache
def keep_freed_memory() -> bool:
    """Let this process keep what it frees, up to 2 GiB a block, where its C library is glibc.

    Returns whether it does. Results are the same to the bit, and the process holds its peak until it ends.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library, such as musl
        return False
    return all(mallopt(option, KEPT) == 1 for option in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD))
