"""Text from outside: names of files, labels, arguments. They are data, never instructions. Torch-free."""

from __future__ import annotations

import html
import os
import re
from contextlib import suppress


def printable(name: str) -> str:
    """The name on one line of text: bytes that are none, and control characters, escaped."""
    text = name
    if _has_surrogates(name):
        with suppress(UnicodeEncodeError):  # a half of a character, that no file system gave
            text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def printable_lines(text: str) -> str:
    """As `printable`, line by line: line feeds stay."""
    return "\n".join(printable(line) for line in text.split("\n"))


def _has_surrogates(name: str) -> bool:
    """Whether it holds bytes of a file's name that are no text, or halves of characters."""
    return any("\ud800" <= c <= "\udfff" for c in name)


def in_markdown(text: str) -> str:
    """A name as Markdown shows it, letter by letter: no HTML, no link, no emphasis."""
    return re.sub(r"([\\`*_{}\[\]()#+!|~])", r"\\\1", html.escape(printable(text), quote=False))


def code_span(text: str) -> str:
    """A name as code in Markdown, whatever backticks it holds."""
    text = printable(text)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"
