"""Which public symbols a package has, and which of them nobody documented."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any


def public_modules(package: ModuleType) -> list[ModuleType]:
    """The package and every module below it, sorted by name; a name with an underscore is private."""
    modules = [package]
    if hasattr(package, "__path__"):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not any(part.startswith("_") for part in found.name.split(".")):
                modules.append(importlib.import_module(found.name))
    return sorted(modules, key=lambda module: module.__name__)


def public_members(module: ModuleType) -> dict[str, Any]:
    """The classes and functions that a module itself defines, in the order of its source."""
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__ == module.__name__
        and value.__qualname__ == name
    }


def reexports(module: ModuleType) -> dict[str, Any]:
    """What a package lends from the modules below it: public name -> the object."""
    names = getattr(module, "__all__", ())
    values = {name: getattr(module, name) for name in names if not name.startswith("_")}
    return {n: v for n, v in values.items() if getattr(v, "__module__", module.__name__) != module.__name__}


def undocumented(package: ModuleType) -> list[str]:
    """Full names of the public modules, classes, functions and methods without a docstring of their own."""
    return [name for module in public_modules(package) for name in _undocumented_in(module)]


def _undocumented_in(module: ModuleType) -> Iterator[str]:
    if not (module.__doc__ or "").strip():
        yield module.__name__
    for name, member in public_members(module).items():
        if not _has_docstring(member):
            yield f"{module.__name__}.{name}"
        if inspect.isclass(member):
            for method in _undocumented_methods(member):
                yield f"{module.__name__}.{name}.{method}"


def _undocumented_methods(kind: type) -> Iterator[str]:
    for name, value in vars(kind).items():
        function = _function_of(value)
        # A field whose default is a function is no method, and its name is another.
        if function is None or name.startswith("_") or function.__name__ != name:
            continue
        if not _has_docstring(function):
            yield name


def _function_of(value: Any) -> Any:
    """The function behind a method of any kind; None for what is no method."""
    if isinstance(value, staticmethod | classmethod):
        return value.__func__
    if isinstance(value, property):
        return value.fget
    return value if inspect.isfunction(value) else None


def _has_docstring(member: Any) -> bool:
    doc = (member.__doc__ or "").strip()
    # A dataclass or named tuple without a docstring is given its own signature as one.
    return bool(doc) and not (inspect.isclass(member) and doc.startswith(f"{member.__name__}("))
