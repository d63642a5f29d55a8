"""What can go wrong, by the exit status that the command line gives it. Torch-free."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable


class UserError(Exception):
    """A mistake that the user can mend: one line that names the argument and the fix. Exit status 2."""


class Diverged(Exception):
    """A loss, gradient or weight became NaN or infinite. Exit status 3."""


class RunFailed(Exception):
    """A run cannot go on, through no fault of its options: a full disk, a lost peer. Exit status 1."""


class PeerLost(RunFailed):
    """Another process of a distributed run died, so this one cannot go on."""


class Stopped(Exception):
    """A signal asked the run to stop; the state was saved first. Exit status 128 + signal."""

    def __init__(self, signal_number: int, message: str) -> None:
        super().__init__(message)
        self.signal_number = signal_number


def as_options(text: str) -> str:
    """A message with each parameter as the command line spells it: `batch_size` becomes --batch-size.

    Parameters are single words in backticks; commands and paths in backticks hold more, and stay.
    """
    return re.sub(r"`([a-z][a-z0-9_]*(?:\.\w+)?)`", lambda name: "--" + name[1].replace("_", "-"), text)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`"; perhaps you meant 'vae'"` when a known word is near, else the empty string."""
    near = difflib.get_close_matches(word, list(known))
    if not near:
        return ""
    # Letters swapped are likelier than letters left out: of equally near words, the one of nearest length.
    ratio = {w: difflib.SequenceMatcher(None, w, word).ratio() for w in near}
    best = max(near, key=lambda w: (ratio[w], -abs(len(w) - len(word))))
    return f"; perhaps you meant '{best}'"
