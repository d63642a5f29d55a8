"""Numbers as people read them. Torch-free."""

from __future__ import annotations

import math


def number(value: float) -> str:
    """Four significant digits, thousands apart, with a true minus."""
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e9:
        text = f"{int(value):,}"
    elif abs(value) >= 1000:
        text = f"{value:,.0f}"
    else:
        text = f"{value:.4g}"
    return text.replace("-", "−")


def estimate(value: float, ci95: float | None) -> tuple[str, str]:
    """A value and its interval, both to the interval's second digit; the interval is "" where unknown."""
    if ci95 is None or not math.isfinite(ci95) or ci95 <= 0:
        return number(value), ""
    decimals = min(8, max(0, 1 - math.floor(math.log10(ci95))))
    return f"{value:,.{decimals}f}".replace("-", "−"), f"{ci95:,.{decimals}f}"


def duration(seconds: float) -> str:
    """In the largest units that fit: "12 s", "3 min 20 s", "2 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s" if whole or not seconds else f"{seconds:.1f} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def plural(n: int, word: str, many: str = "") -> str:
    """ "1 image", "2,000 images"."""
    return f"{n:,} {word if n == 1 else many or word + 's'}"
