"""Observers side by side: their names, and the metrics of all of them."""

from __future__ import annotations

from collections.abc import Sequence

from pushforward.core import Observation, Observer
from pushforward.errors import UserError


def refuse_equal_names(observers: Sequence[Observer]) -> None:
    """Raise UserError where two observers have one name."""
    names = [o.name for o in observers]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(
            f"`observers`: two are called '{twice}', and one would overwrite what the other found; "
            "give one of them another `name`"
        )


def collected(observers: Sequence[Observer], observations: Sequence[Observation]) -> dict[str, float]:
    """The metrics of all, each under its observer's prefix. Raises UserError where two have one name."""
    metrics: dict[str, float] = {}
    for observer, observation in zip(observers, observations, strict=True):
        for key, value in observation.metrics.items():
            name = observer.prefix + key
            if name in metrics:
                raise UserError(
                    f"`observers`: two log the metric '{name}'; give '{observer.name}' another `name`"
                )
            metrics[name] = value
    return metrics
