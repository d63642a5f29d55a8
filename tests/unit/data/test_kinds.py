"""What rows of data are called, and in what units."""

from __future__ import annotations

import pytest

from pushforward.data.kinds import IMAGE, POINT, Kind, looks_of, size_of


@pytest.mark.parametrize(
    ("shape", "size", "looks"),
    [
        ((1,), "points of 1 number", "1 number each"),
        ((1200,), "points of 1,200 numbers", "1,200 numbers each"),
        ((3, 48, 64), "images of 64 × 48 pixels and 3 channels", "64 × 48 pixels, colour"),
        ((1, 8, 9), "images of 9 × 8 pixels and 1 channel", "9 × 8 pixels, grey"),
        ((6, 8, 9), "images of 9 × 8 pixels and 6 channels", "9 × 8 pixels, 6 channels"),
    ],
)
def test_shapes_in_words_are_width_by_height(shape, size, looks):
    assert (size_of(shape), looks_of(shape)) == (size, looks)


def test_the_shape_decides_the_kind():
    assert Kind.of((2,)) is POINT
    assert Kind.of((1, 8, 8)) is IMAGE


def test_units_and_counts():
    assert [kind.per("nats") for kind in (IMAGE, POINT)] == ["nats/image", "nats/point"]
    assert (IMAGE.count(1), POINT.count(2000)) == ("1 image", "2,000 points")
