"""Advice that the run at hand can follow."""

from __future__ import annotations

from collections.abc import Collection


def offered(option: str, options: Collection[str] | None) -> bool:
    """Whether a run has an option. options: the names of those that its recipe has; None where not known."""
    return options is None or option in options
