"""A process that dies at a chosen one of its operations on files, as by kill -9.

    died = killed(lambda: main(["train", ...]), folder, at=17)

`folder_state` is what is left there, for comparison.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pushforward

KILLED = 77
_CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.link", "os.symlink"}
# What a clock on the wall says; and Python's random stream, from which the type checker of tests draws.
_LEFT_OUT = ("seconds", "images_per_s", "python")


def killed(call: Callable[[], Any], folder: Path, *, at: int) -> bool:
    """Whether a child process that makes the call died just before its operation number `at` under folder.

    Where it makes fewer it ends by itself. Raises AssertionError if it fails.
    """
    said = folder.with_name(f"{folder.name}.txt")
    child = os.fork()
    if child == 0:
        sys.stdout = sys.stderr = said.open("w")
        _run(call, str(folder), at)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, KILLED), f"the process of operation {at} ended with {code}:\n{said.read_text()}"
    return code == KILLED


def _run(call: Callable[[], Any], folder: str, at: int) -> None:
    seen = 0

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if not _changes(event, arguments, folder):
            return
        seen += 1
        if seen == at:
            os._exit(KILLED)

    sys.addaudithook(watch)
    try:
        call()
    except BaseException as error:
        if not (isinstance(error, SystemExit) and not error.code):
            traceback.print_exc()
            sys.stdout.flush()
            os._exit(1)
    os._exit(0)


def import_all() -> None:
    """So that a child need not."""
    for module in pkgutil.walk_packages(pushforward.__path__, "pushforward."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def _changes(event: str, arguments: tuple[Any, ...], folder: str) -> bool:
    """Whether an audit event is a change under the folder, or of itself."""
    if event == "open":
        path, _, flags = arguments
        if not (flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return False
    elif event in _CHANGES:
        path = arguments[0]
    else:
        return False
    return isinstance(path, str | os.PathLike) and str(Path(path).absolute()).startswith(f"{folder}{os.sep}")


def folder_state(folder: Path) -> dict[str, Any]:
    """Every path under a folder: a file's content, without what a clock says, and None for a folder."""
    return {str(p.relative_to(folder)): _content(p) for p in sorted(folder.rglob("*"))}


def _content(path: Path) -> Any:
    if path.is_dir():
        return None
    if path.name == "manifest.json":  # sums of what is compared itself
        return sorted(json.loads(path.read_text()))
    if path.suffix == ".json":
        return _timeless(json.loads(path.read_text()))
    if path.suffix == ".jsonl":
        return [_timeless(json.loads(line)) for line in path.read_text().splitlines()]
    if path.name == "report.html":
        return re.sub(rb"images in [\d.]+ \w+", b"", path.read_bytes())
    return path.read_bytes()


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _timeless(v) for k, v in value.items() if k not in _LEFT_OUT}
    return [_timeless(v) for v in value] if isinstance(value, list) else value
