"""The directive `{options} METHOD`: a method's hyper-parameters as a table, from its recipe dataclass.

`{options} every-method` is the table of the options that all methods share.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

EVERY_METHOD = "every-method"


class Option(NamedTuple):
    """One row: the flag as typed, the values it takes, what it is by default, and what it means."""

    flag: str
    values: str
    default: str
    text: str


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("options", Options)
    return {"parallel_read_safe": True}


class Options(Directive):
    """Renders the table."""

    required_arguments: ClassVar[int] = 1

    def run(self) -> list[nodes.Node]:
        """The table's nodes."""
        return [_table(list(options_of(_dataclass(self.arguments[0]))))]


def options_of(kind: type[Any]) -> Iterator[Option]:
    """The fields of a dataclass with the text that stands under each. Raises ValueError without one."""
    texts = {name: text for cls in reversed(kind.__mro__) for name, text in _field_texts(cls).items()}
    for field in dataclasses.fields(kind):
        if field.name not in texts:
            raise ValueError(f"{kind.__name__}.{field.name} has no text under it")
        yield Option(
            flag=_flag(field.name),
            values=_values(str(field.type)),
            default=_default(field),
            text=texts[field.name],
        )


def _dataclass(name: str) -> type[Any]:
    from pushforward.config import TrainOptions
    from pushforward.methods import recipe_class

    kind: type[Any] = TrainOptions if name == EVERY_METHOD else recipe_class(name)
    return kind


def _field_texts(cls: type[Any]) -> dict[str, str]:
    """Field name -> the string literal under it."""
    if not dataclasses.is_dataclass(cls):
        return {}
    body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0].body  # type: ignore[attr-defined]
    return {
        node.target.id: " ".join(ast.literal_eval(below.value).split())
        for node, below in pairwise(body)
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }


# How types are shown that a command line takes one value of at a time, or several.
_PLAIN = {"tuple[int, ...]": "ints", "dict[str, float]": "float", "dict[str, str]": "str"}


def _values(annotation: str) -> str:
    """`Literal["a", "b"] | float` -> "a, b, float"; `int | None` -> "int"."""
    parts = []
    for part in _alternatives(ast.parse(annotation.strip(), mode="eval").body):
        if isinstance(part, ast.Subscript) and ast.unparse(part.value) == "Literal":
            choices = part.slice.elts if isinstance(part.slice, ast.Tuple) else [part.slice]
            parts += [str(ast.literal_eval(choice)) for choice in choices]
        elif ast.unparse(part) != "None":
            parts.append(_PLAIN.get(ast.unparse(part), ast.unparse(part)))
    return ", ".join(parts)


def _flag(field: str) -> str:
    from pushforward.config import BY_NAME

    return "--{}.{}".format(*BY_NAME[field]) if field in BY_NAME else f"--{field.replace('_', '-')}"


def _alternatives(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        yield from _alternatives(node.left)
        yield from _alternatives(node.right)
    else:
        yield node


def _default(field: dataclasses.Field[Any]) -> str:
    value = field.default
    if value is dataclasses.MISSING or value is None:
        return "–"
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return str(value)


def _table(options: list[Option]) -> nodes.table:
    header = [nodes.Text(text) for text in ("option", "values", "default", "meaning")]
    rows = [
        [nodes.literal("", o.flag), nodes.Text(o.values), nodes.literal("", o.default), nodes.Text(o.text)]
        for o in options
    ]
    group = nodes.tgroup(cols=4)
    group += [nodes.colspec(colwidth=width) for width in (20, 20, 12, 48)]
    group += nodes.thead("", _row(header))
    group += nodes.tbody("", *[_row(row) for row in rows])
    return nodes.table("", group, classes=["options"])


def _row(cells: list[Any]) -> nodes.row:
    return nodes.row("", *[nodes.entry("", nodes.paragraph("", "", cell)) for cell in cells])
