"""Overfitting: what is held out gets worse, while training goes on."""

from __future__ import annotations

from collections.abc import Sequence

from pushforward.core import Finding

WORSE = 0.01  # of the best value
LOOKS = 3  # in a row


def diagnose_overfitting(steps: Sequence[int], values: Sequence[float], *, what: str) -> Finding | None:
    """A finding where each of the last three looks is 1 % of the best worse than the best; else None.

    values: of held-out data at these steps, oldest first; higher is better. what: their name.
    """
    if len(values) <= LOOKS:
        return None
    best = max(range(len(values)), key=values.__getitem__)
    limit = values[best] - WORSE * abs(values[best])
    if best >= len(values) - LOOKS or max(values[-LOOKS:]) >= limit:
        return None
    return Finding(
        name="overfitting",
        severity="warning",
        confidence=0.9,
        evidence=f"{what} was best at step {steps[best]:,} ({values[best]:.4g}) and is {values[-1]:.4g} now",
        advice="use the best weights, which are kept in best/, train for about as many steps as they took, "
        "or give it more data",
        headline="the model learns its training data by heart",
    )
