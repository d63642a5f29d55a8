"""Which code a result came from: hashes of the modules that its process had loaded. Torch-free.

A comment, a docstring or a reformatting changes no result and no hash.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Iterable, Mapping
from pathlib import Path

import pushforward

ROOT = Path(pushforward.__file__).parent
# What runs and records cells but does not enter their figures, and the lists that only name things
# (with the command line, below).
_MACHINERY = frozenset(
    ["pushforward", "pushforward.errors", "pushforward.methods", "pushforward.experiments"]
    + [
        f"pushforward.experiments.harness{name}"
        for name in ("", ".experiment", ".table", ".pool", ".machine")
    ]
)


class Sources:
    """The package's source as it was when this object was made.

    Taken before the first process starts, so that a file edited while cells run makes them stale rather
    than passing for what they were made with.
    """

    def __init__(self, *others: str) -> None:
        self._content = {_module_name(path): path.read_bytes() for path in ROOT.rglob("*.py")}
        for module in others:
            spec = importlib.util.find_spec(module)
            if spec is not None and spec.origin is not None:
                self._content.setdefault(module, Path(spec.origin).read_bytes())
        self._hashes: dict[str, str | None] = {}

    def hashes(self, modules: Iterable[str]) -> dict[str, str]:
        """Module -> hash, of those modules that can change a figure."""
        counted = [m for m in modules if m not in _MACHINERY and not m.startswith("pushforward.cli")]
        pairs = {module: self._hash(module) for module in counted}
        return {module: digest for module, digest in sorted(pairs.items()) if digest is not None}

    def unchanged(self, recorded: Mapping[str, str]) -> bool:
        """Whether every module has the hash that was recorded."""
        return all(self._hash(module) == digest for module, digest in recorded.items())

    def _hash(self, module: str) -> str | None:
        if module not in self._hashes:
            content = self._content.get(module)
            self._hashes[module] = None if content is None else hash_code(content)
        return self._hashes[module]


def hash_code(source: bytes) -> str:
    """SHA-256 over the syntax tree without docstrings; over the bytes where they do not parse."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return hashlib.sha256(source).hexdigest()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
