"""A reference page for every public module, written before each build; an undocumented symbol fails it."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

from plain import to_rst
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from symbols import public_members, public_modules, reexports, undocumented

PACKAGE = "pushforward"


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-process-docstring", _to_rst)
    return {"parallel_read_safe": True}


def write_pages(app: Sphinx) -> None:
    """Fail on an undocumented symbol, else write `generated/MODULE.rst` for each module."""
    package = importlib.import_module(PACKAGE)
    missing = undocumented(package)
    if missing:
        raise ExtensionError(f"public symbols without a docstring: {', '.join(missing)}")
    folder = Path(app.srcdir) / "generated"
    folder.mkdir(exist_ok=True)
    pages = {f"{module.__name__}.rst": page(module) for module in public_modules(package)}
    for old in folder.glob("*.rst"):
        if old.name not in pages:
            old.unlink()
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text() != text:  # an unchanged page is not built again
            path.write_text(text)


def page(module: ModuleType) -> str:
    """The source of one module's page."""
    name = module.__name__
    title = name.removeprefix(f"{PACKAGE}.")
    lines = [title, "=" * len(title), "", f".. automodule:: {name}", "   :no-members:", ""]
    lent = reexports(module)
    if lent:
        lines += ["Lends", ""]
        lines += [f"- ``{n}`` from ``{value.__module__}``" for n, value in lent.items()] + [""]
    for member, value in public_members(module).items():
        if inspect.isclass(value):
            bases = [] if value.__bases__ == (object,) else ["   :show-inheritance:"]
            lines += [f".. autoclass:: {name}.{member}", "   :members:", *bases, ""]
        else:
            lines += [f".. autofunction:: {name}.{member}", ""]
    return "\n".join(lines)


def _to_rst(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = to_rst(lines)
