"""What every measure on features asks of them first."""

from __future__ import annotations

import torch
from torch import Tensor

from pushforward.errors import UserError


def checked(least: int, **sets: Tensor) -> list[Tensor]:
    """The sets in double. Raises UserError for fewer rows than `least`, other features, or odd numbers."""
    features = None
    for name, x in sets.items():
        if x.ndim != 2 or len(x) < least:
            raise UserError(
                f"`{name}`: {tuple(x.shape)}; expected at least {least} rows of features, (n, d): give more"
            )
        if features is None:
            features = x.shape[1]
        if x.shape[1] != features:
            raise UserError(
                f"`{name}`: {x.shape[1]} features, and {features} of {next(iter(sets))}; give the same"
            )
        if not bool(torch.isfinite(x).all()):
            raise UserError(f"`{name}`: some features are NaN or infinite; expected finite numbers")
    return [x.double() for x in sets.values()]
