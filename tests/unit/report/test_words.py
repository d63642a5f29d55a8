"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest

from pushforward.report.words import duration, estimate, number, plural


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (12.0, "12"),
        (-107.23, "−107.2"),
        (12345.6, "12,346"),
        (0.00123456, "0.001235"),
        (math.inf, "inf"),
    ],
)
def test_numbers(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "ci", "text"),
    [
        (-107.234, 2.41, ("−107.2", "2.4")),
        (0.197312, 0.00441, ("0.1973", "0.0044")),
        (-956.3, 41.2, ("−956", "41")),
        (-12345.6, 1234.5, ("−12,346", "1,234")),
        (3.0, None, ("3", "")),
        (3.5, 0.0, ("3.5", "")),
    ],
)
def test_a_value_stops_at_the_second_digit_of_its_interval(value, ci, text):
    assert estimate(value, ci) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.3, "0.3 s"), (12.2, "12 s"), (59.9, "1 min"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_plurals():
    assert (plural(1, "image"), plural(2000, "image")) == ("1 image", "2,000 images")
