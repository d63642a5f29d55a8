"""The files of a run folder that the loop itself keeps: its lock, its metrics, its signals."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO, Any

from pushforward.errors import RunFailed, UserError
from pushforward.run_folder import RunFolder


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's LOCK. It goes with the process, however that dies. Raises UserError if it is held."""
    path = RunFolder(folder).lock
    with path.open("a+") as file:
        try:
            _flock(file, folder)
            if not path.exists() or os.fstat(file.fileno()).st_ino != path.stat().st_ino:
                raise BlockingIOError("the lock was released and removed meanwhile")
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise UserError(
                f"`run`: {folder} is in use by {holder}; wait for it, stop it, or choose another folder"
            ) from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {os.uname().nodename}")
        file.flush()
        try:
            yield
        finally:
            # Only the holder removes it, and while it holds it: who opened it before must look again.
            with suppress(OSError):  # it holds nobody: the lock goes with this process
                path.unlink(missing_ok=True)


def _flock(file: IO[str], folder: Path) -> None:
    """Lock it. Raises BlockingIOError if another process has; warns where the file system knows no locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        warnings.warn(
            f"{folder} cannot be locked ({error.strerror or error}); see that no second process uses it",
            stacklevel=4,
        )


def require_space(folder: Path, needed: int) -> None:
    """Raise UserError unless `needed` bytes are free on the folder's file system."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"`run`: {folder} has {free / 1e6:,.0f} MB free and this run needs about {needed / 1e6:,.0f} MB; "
            "make room or choose another folder"
        )


def cannot_go_on(error: OSError, folder: Path) -> RunFailed:
    """What to tell where the system refuses a run a file: which, why, and how it goes on."""
    if disk_is_full(error):
        what, mend = f"the disk of {folder} is full", "make room"
    else:
        where = error.filename or folder
        what, mend = f"{where} cannot be written or read ({error.strerror or error})", "mend that"
    resume = f"`pushforward train --resume {folder}`"
    return RunFailed(f"{what}; the last checkpoint is whole: {mend} and continue with {resume}")


def disk_is_full(error: OSError) -> bool:
    """Whether an error means that no more can be written."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


class StopSignals:
    """Turns SIGTERM, SIGHUP and Ctrl-C into a wish that the loop grants at the next step boundary.

    SIGHUP comes where a terminal is closed or a connection drops; under `nohup` it is ignored, and stays so.
    A second Ctrl-C interrupts at once.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is not threading.main_thread():
            return self  # only the main thread may listen; whoever started this one has to stop it
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = number
