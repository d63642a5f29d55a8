"""How sure a share is that was counted."""

from __future__ import annotations

import math

Z95 = 1.959964


def wilson(share: float, n: int, *, z: float = Z95) -> tuple[float, float]:
    """The interval of a share of n independent draws. E. B. Wilson 1927.

    Unlike share ± z sqrt(share (1 - share)/n) it does not shrink to a point at 0 and 1, and stays in [0, 1].
    """
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)
