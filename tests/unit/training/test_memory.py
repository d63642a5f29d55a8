"""Freed memory is kept where the C library can keep it."""

from __future__ import annotations

import subprocess
import sys

import pytest

PAGES = """
import resource, torch
from pushforward.training.memory import keep_freed_memory

kept = keep_freed_memory()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(20_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(kept, faults())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="page faults are counted as Linux does")
def test_a_block_that_was_freed_is_used_again_without_fresh_pages():
    out = subprocess.run([sys.executable, "-c", PAGES], capture_output=True, text=True, check=True).stdout
    kept, faults = out.split()
    if kept == "False":
        pytest.skip("this C library has no mallopt")
    assert int(faults) < 1000  # of the 19,532 pages of the block
