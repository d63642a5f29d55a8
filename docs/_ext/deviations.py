"""The directive `{deviations} MODULE`: the numbered deviations from the paper, from the module's docstring.

The docstring is their only place: a page includes them and repeats none. There they are numbered below a line
such as "Deviations from the paper:"; where there is nothing to number, a sentence follows on the same line.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Sequence
from typing import Any, ClassVar

from docutils import nodes
from plain import SPANS
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

HEADING = re.compile(r"Deviations( from [^:]+)?: *(.*)")
ITEM = re.compile(r"(\d+)\. +(.*)")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("deviations", Deviations)
    return {"parallel_read_safe": True}


class Deviations(SphinxDirective):
    """Renders the list, or the sentence."""

    required_arguments: ClassVar[int] = 1

    def run(self) -> list[nodes.Node]:
        """Their nodes. Raises ExtensionError, which stops the build, where the docstring names none."""
        name = self.arguments[0]
        try:
            module = importlib.import_module(name)
            found = deviations_of(module.__doc__ or "")
        except (ImportError, ValueError) as error:
            raise ExtensionError(f"{self.env.docname}: {{deviations}} {name}: {error}") from error
        self.env.note_dependency(str(module.__file__))
        if isinstance(found, str):
            return [paragraph(found[:1].upper() + found[1:])]
        items = [nodes.list_item("", paragraph(text)) for text in found]
        return [nodes.enumerated_list("", *items, enumtype="arabic", prefix="", suffix=".")]


def deviations_of(docstring: str) -> list[str] | str:
    """The items below a docstring's line "Deviations from ...:", without numbers, or the sentence there.

    Raises ValueError if there is no such line, if nothing follows it, or if the numbers are not 1, 2, 3, ...
    """
    lines = inspect.cleandoc(docstring).splitlines()
    starts = [i for i, line in enumerate(lines) if HEADING.match(line)]
    if len(starts) != 1:
        raise ValueError(f"{len(starts)} lines 'Deviations from ...:' in the docstring; expected one")
    (start,) = starts
    end = next((i for i in range(start, len(lines)) if not lines[i].strip()), len(lines))
    sentence = HEADING.fullmatch(lines[start])[2]  # type: ignore[index]
    if sentence:
        return " ".join([sentence, *(line.strip() for line in lines[start + 1 : end])])
    return _numbered(lines[start + 1 : end])


def _numbered(lines: Sequence[str]) -> list[str]:
    """A line with a number starts an item; an indented line continues it."""
    items: list[str] = []
    for line in lines:
        item = ITEM.fullmatch(line)
        if item and int(item[1]) == len(items) + 1:
            items.append(item[2])
        elif items and line.startswith(" "):
            items[-1] += f" {line.strip()}"
        else:
            raise ValueError(f"'{line}' among the deviations; expected '{len(items) + 1}. ...'")
    if not items:
        raise ValueError("no deviation is listed under 'Deviations from ...:'; expected '1. ...'")
    return items


def paragraph(text: str) -> nodes.paragraph:
    """The text, with `code` as literals and the *Titles* of works in italics."""
    return nodes.paragraph("", "", *map(_inline, filter(None, SPANS.split(text))))


def _inline(part: str) -> nodes.Node:
    """A code span, the title of a work, or plain text."""
    if len(part) > 2 and part[0] == part[-1] == "`":
        return nodes.literal("", part[1:-1].strip())
    if SPANS.fullmatch(part):
        return nodes.emphasis("", part[1:-1])
    return nodes.Text(part)
