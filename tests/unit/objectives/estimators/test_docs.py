"""The user's page: its examples run, and its table is the one that words the refusals."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pushforward.objectives.estimators import ESTIMATORS

PAGE = (Path(__file__).parents[4] / "docs" / "estimators.md").read_text(encoding="utf-8")


def test_every_example_runs_and_its_assertions_hold():
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) >= 7
    names = {}
    for block in blocks:
        exec(compile(block, "docs/estimators.md", "exec"), names)
    assert names["history"][-1] > 0  # the last example but three really trained


@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_the_table_on_the_page_is_the_table_in_the_code(name):
    row = ESTIMATORS[name]
    cells = (
        next(line for line in PAGE.splitlines() if line.startswith(f"| `{name}` ")).strip("| ").split(" | ")
    )
    _, paper, unbiased, latents, draws, evaluations, gradient = cells
    assert (paper, draws, evaluations) == (row.paper, str(row.min_samples), row.evaluations)
    assert (unbiased, gradient) == tuple("yes" if yes else "no" for yes in (row.unbiased, row.differentiable))
    named = {kind for kind in row.latents if kind[0].isupper()}
    if "any" not in latents and "continuous" not in latents:
        assert set(latents.split(", ")) == named


def test_the_table_on_the_page_has_no_other_rows():
    assert re.findall(r"^\| `([a-z-]+)` ", PAGE, re.MULTILINE) == list(ESTIMATORS)
