"""The user's page: its examples run, and it names every function there is."""

from __future__ import annotations

import re
from pathlib import Path

from pushforward.objectives import divergences

PAGE = (Path(__file__).parents[4] / "docs" / "divergences.md").read_text(encoding="utf-8")


def test_every_example_runs_and_its_assertions_hold():
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 2
    names: dict = {}
    for block in blocks:
        exec(compile(block, "docs/divergences.md", "exec"), names)


def test_the_page_names_every_distance():
    helpers = {"CriticReading", "DiscriminatorReading", "distances", "optimal_plan", "w1_line"}
    for name in set(divergences.__all__) - helpers:
        assert f"`{name}`" in PAGE, name
