"""Standard output and error that outlive their reader, and take every text.

A pipe whose reader left (`| head -1`), a closed terminal, a full disk under a redirected output: none of them
is a reason to lose a run. What cannot be encoded (`LANG=C`) is escaped.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO


class Lasting:
    """A text stream that goes silent where it can be written no more, and keeps the reason as `lost`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.lost: Exception | None = None

    def write(self, text: str) -> int:
        """Write, or do nothing."""
        if self.lost is None:
            try:
                return self._stream.write(text)
            except (OSError, ValueError) as error:  # ValueError: it was closed
                self._lose(error)
        return len(text)

    def flush(self) -> None:
        """Flush, or do nothing."""
        if self.lost is None:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self._lose(error)

    def writelines(self, lines: Any) -> None:
        """Write each."""
        for line in lines:
            self.write(line)

    def isatty(self) -> bool:
        """Whether a person reads it; no more, once it is lost."""
        try:
            return self.lost is None and self._stream.isatty()
        except ValueError:
            return False

    def _lose(self, error: Exception) -> None:
        self.lost = error
        # What is still in its buffer would be written, in vain, as the interpreter leaves.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def protect() -> None:
    """Put lasting streams in place of standard output and error, once."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, Lasting):
            continue
        if stream is None:  # it was closed before this process began
            stream = Path(os.devnull).open("w")  # noqa: SIM115 - it lasts as long as the process
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
        setattr(sys, name, Lasting(stream))


def output_was_lost() -> Exception | None:
    """Why standard output could not be written; None where it could, or where its reader just left."""
    lost = getattr(sys.stdout, "lost", None)
    return None if isinstance(lost, BrokenPipeError) else lost
