"""Command-line options from dataclasses, with one-line errors."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Sequence
from typing import Any, TypeVar

from pushforward.errors import UserError

T = TypeVar("T")


def parse(kind: type[T], argv: Sequence[str], *, prog: str, description: str, default: T | None = None) -> T:
    """Parse argv into a dataclass. `--help` prints and exits 0; a mistake raises UserError in one line."""
    import tyro

    extra: dict[str, Any] = {} if default is None else {"default": default}
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            return tyro.cli(
                kind,
                args=list(argv),
                prog=f"pushforward {prog}",
                description=description,
                config=(tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff),
                **extra,
            )
    except SystemExit as stop:
        if not stop.code:
            raise
        raise UserError(f"{_one_line(errors.getvalue())} (see pushforward {prog} --help)") from None


def _one_line(box: str) -> str:
    """The message inside the box that tyro draws, without its help text."""
    lines = [re.sub(r"[│╭╮╰╯─]+", "", line).strip() for line in box.splitlines()[1:]]
    text = []
    for line in lines:
        if line.startswith(("For full helptext", "Argument helptext")):
            break
        if line:
            text.append(line)
    return _short(text)


def _short(lines: Sequence[str]) -> str:
    # After "Perhaps you meant:" come an option and its help: the option is enough.
    for i, line in enumerate(lines):
        if line.startswith("Perhaps you meant") and i + 1 < len(lines):
            return f"{' '.join(lines[:i])}; perhaps you meant {lines[i + 1].split()[0]}"
    return " ".join(lines)
