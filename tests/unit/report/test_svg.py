"""Figures that can stand inside a page, several of them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from pushforward.report import svg

LINE = ([0, 1, 2], [3.0, 1.0, 2.0])


def ids(drawing: str) -> set[str]:
    return set(re.findall(r'\bid="([^"]+)"', drawing))


def test_a_figure_needs_nothing_else_and_takes_the_pages_colours():
    drawing = svg.lines([LINE, LINE], label="a", limits=None)
    ET.fromstring(drawing)
    assert not re.search(r"https?:|xmlns|font-family|DejaVu", drawing)
    assert "var(--first)" in drawing
    assert "var(--second)" in drawing
    assert not [c for c in svg.VARIABLES if c in drawing]


def test_every_reference_is_to_an_id_of_the_same_figure():
    drawing = svg.lines([LINE], label="a", limits=(0, 5))
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', drawing))
    assert used
    assert used <= ids(drawing)


def test_figures_of_one_page_share_no_id_and_equal_ones_are_equal():
    a, b = (svg.lines([LINE], label=label, limits=None) for label in ("a", "b"))
    assert not ids(a) & ids(b)
    assert a == svg.lines([LINE], label="a", limits=None)


def test_bars_and_points():
    drawing = svg.bars([3.0, 1.0, 0.0], [True, True, False], ylabel="nats", label="bars")
    ET.fromstring(drawing)
    assert drawing.count("var(--first)") >= 2
    points = svg.scatter([(0, 0), (1, 2)], [svg.CLASSES[0], svg.OTHER], xlabel="x", ylabel="y", label="p")
    assert svg.CLASSES[0] in points


def test_classes_are_named_amid_their_points():
    drawn = svg.scatter(
        [(0, 0), (1, 2)],
        [svg.CLASSES[0], svg.OTHER],
        xlabel="x",
        ylabel="y",
        label="p",
        names={"cat": (0.5, 1.0)},
    )
    assert "cat" in drawn
    assert "var(--paper)" in drawn
