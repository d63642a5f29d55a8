"""Overfitting is told where what is held out gets worse and stays so, and nowhere else."""

from __future__ import annotations

import pytest

from pushforward.diagnostics.overfitting import diagnose_overfitting


def told(*values):
    steps = range(10, 10 * len(values) + 1, 10)
    return diagnose_overfitting(steps, [float(v) for v in values], what="validation elbo")


def test_a_bound_that_falls_for_three_looks_is_told_with_the_best_step():
    found = told(-120, -100, -104, -106, -110)
    assert "best at step 20 (-100) and is -110 now" in found.evidence


@pytest.mark.parametrize(
    "values",
    [
        (-120, -110, -100),
        (-100, -110, -120),
        (-120, -100, -104, -106),
        (-120, -100, -100.5, -100.2, -100.9),
        (-120, -100, -110, -99, -110),
        (),
    ],
)
def test_one_that_still_rises_or_wavers_is_not(values):
    assert told(*values) is None
