"""What became of a run's processes."""

from __future__ import annotations

import os
import signal
import time

import pytest


def wait_until_gone(session: int) -> None:
    """The processes of a stopped run end by themselves."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            os.killpg(session, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    os.killpg(session, signal.SIGKILL)
    pytest.fail("the run left processes behind")
