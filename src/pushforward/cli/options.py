"""Command-line options from dataclasses, with one-line errors."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Sequence
from typing import Any, TypeVar

from pushforward.cli.mistakes import in_plain_words, without_none
from pushforward.errors import UserError

T = TypeVar("T")


def parse(kind: type[T], argv: Sequence[str], *, prog: str, description: str, default: T | None = None) -> T:
    """Parse argv into a dataclass. `--help` prints and exits 0; a mistake raises UserError in one line."""
    import tyro

    extra: dict[str, Any] = {} if default is None else {"default": default}
    errors, told = _Captured(), _Captured()
    try:
        with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(told):
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
            print(_drawn(without_none(told.getvalue())), end="")
            raise
        said = in_plain_words(_one_line(errors.getvalue()))
        raise UserError(f"{said} (see pushforward {prog} --help)") from None


class _Captured(io.StringIO):
    """Text that is drawn with the boxes of Unicode, whatever the terminal can show."""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """One that has them."""
        return "utf-8"


def _drawn(text: str) -> str:
    """With lines of ASCII where standard output has no others."""
    unicode = (sys.stdout.encoding or "").lower().replace("_", "-") in ("utf-8", "utf8")
    return text if unicode else text.translate(str.maketrans("│╭╮╰╯─", "|++++-"))


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
