"""The docstrings are plain text with `code`; this makes reStructuredText of them, whatever they contain."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

ITEM = re.compile(r"(\d+\.|-) +")
ENUMERATOR = re.compile(r"^(\(?\w+)([.)])(?= )")  # "D. Kingma" would be item D of a list
SPECIAL = re.compile(r"([\\*|_])")
SPANS = re.compile(r"(`[^`]+`|(?<!\w)\*[A-Z][^*`]+\*(?!\w))")  # `code`, or the *Title* of a work


def to_rst(lines: Sequence[str]) -> list[str]:
    """Paragraphs, numbered and dashed lists, and indented blocks, which stay as they are."""
    result: list[str] = []
    for block in _blocks(lines):
        if all(line.startswith("    ") for line in block):
            result += ["::", "", *block, ""]
        else:
            result += _prose(block)
    return result


def _blocks(lines: Sequence[str]) -> Iterator[list[str]]:
    block: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            block.append(line.rstrip())
        elif block:
            yield block
            block = []


def _prose(block: Sequence[str]) -> list[str]:
    """One paragraph, or a list with a sentence before it."""
    pieces: list[list[str]] = [[]]
    for line in block:
        text = line.strip()
        if ITEM.match(text):
            pieces.append([text])
        else:
            pieces[-1].append(text)
    result: list[str] = []
    for piece in filter(None, pieces):
        marker = ITEM.match(piece[0])
        head = marker.group() if marker else ""
        text = ENUMERATOR.sub(r"\1\\\2", _inline(" ".join(piece)[len(head) :]))
        result += [f"{head}{text}", ""]
    return result


def _inline(text: str) -> str:
    """Code spans become literals; *titles* stay italic; every other mark of RST is escaped."""
    parts = SPANS.split(text)
    return "".join(
        _code(p) if p.startswith("`") and p.endswith("`") and len(p) > 2 else _text(p) for p in parts
    )


def _code(span: str) -> str:
    return f"\\ ``{span[1:-1].strip()}``\\ "


def _text(part: str) -> str:
    if re.fullmatch(r"\*[A-Z][^*`]+\*", part):
        return part
    return SPECIAL.sub(r"\\\1", part).replace("`", "\\`")
