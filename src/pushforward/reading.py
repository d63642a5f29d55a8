"""The door through which files of a run folder come back: damaged, edited, or of another version.

Each is read up to a size, as UTF-8, and checked against its schema (`schemas`). What is wrong is one line
that names the file. Torch-free.
"""

from __future__ import annotations

import json
import math
import stat
from pathlib import Path
from typing import Any

from pushforward.text import printable

MAX_BYTES = 2**26
MAX_LINE = 2**20


class Damaged(ValueError):
    """Why a file cannot be read, with its name."""


def read_json(path: Path, schema: str, *, most: int = MAX_BYTES) -> Any:
    """The content of a JSON file that holds what `schemas` says under that name. Raises Damaged."""
    content = _parsed(read_text(path, most=most), str(path))
    _check(content, schema, str(path))
    return content


def read_lines(path: Path, schema: str) -> tuple[list[dict[str, Any]], int]:
    """(rows, damaged rows) of a file of JSON lines. A last line without an end is one that a kill cut off.

    An absent file has no rows. Raises Damaged where it cannot be read at all.
    """
    if not path.exists():
        return [], 0
    rows, damaged = [], 0
    lines = read_text(path, most=16 * MAX_BYTES, errors="replace").split("\n")
    for i, line in enumerate(lines):
        if not line.strip():
            continue
        try:
            if len(line) > MAX_LINE:
                raise Damaged("too long")
            row = _parsed(line, str(path), none=True)
            _check(row, schema, str(path))
            rows.append(row)
        except Damaged:
            damaged += i + 1 < len(lines)  # every whole row ends with a line feed
    return rows, damaged


def read_text(path: Path, *, most: int = MAX_BYTES, errors: str = "strict") -> str:
    """The text of a file, in UTF-8. Raises Damaged for one that is none, or larger than `most` bytes."""
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise Damaged(f"{path} is no file")
        if about.st_size > most:
            raise Damaged(f"{path} has {about.st_size:,} bytes; expected at most {most:,}")
        return path.read_bytes().decode("utf-8", errors)
    except OSError as error:
        raise Damaged(f"{path} cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise Damaged(f"{path} is damaged: no text at byte {error.start:,}") from error
    except ValueError as error:
        if isinstance(error, Damaged):
            raise
        raise Damaged(f"{printable(str(path))} cannot be read ({error})") from error  # a NUL in its name


def _parsed(text: str, name: str, *, none: bool = False) -> Any:
    """none: take NaN and infinities for None, as older versions logged them."""
    try:
        if none:
            return json.loads(text, parse_constant=lambda word: None)
        return json.loads(text, parse_constant=_no_number, parse_float=_finite)
    except RecursionError as error:
        raise Damaged(f"{name} is damaged: nested too deep") from error
    except ValueError as error:
        raise Damaged(f"{name} is damaged: {error}") from error


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number")


def _finite(word: str) -> float:
    value = float(word)
    if not math.isfinite(value):
        raise ValueError(f"{word} is no finite number")
    return value


def _check(content: Any, schema: str, name: str) -> None:
    import pydantic

    from pushforward import schemas

    kind: Any = getattr(schemas, schema)
    try:
        (kind.validate_python if isinstance(kind, pydantic.TypeAdapter) else kind.model_validate)(content)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"][:3]))
        raise Damaged(f"{name} is damaged: {where + ': ' if where else ''}{first['msg']}") from error
    except RecursionError as error:
        raise Damaged(f"{name} is damaged: nested too deep") from error
