"""What a look at a game says, and the looks before it: which diseases it has."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch

from pushforward.core import Finding
from pushforward.data import Dataset
from pushforward.diagnostics import critic as judge
from pushforward.diagnostics.dead_units import diagnose_dead_units
from pushforward.diagnostics.exam import Exam
from pushforward.diagnostics.mode_collapse import diagnose_mode_collapse
from pushforward.diagnostics.oscillation import diagnose_oscillation


def diagnose(
    exam: Exam,
    earlier: Callable[[str], list[Any]],
    data: Dataset,
    *,
    cures: Mapping[str, str],
    options: Collection[str] | None = None,
) -> list[Finding]:
    """The findings of one game.

    earlier: a column of `Exam.row` over all looks, this one last. data: the real ones. cures: a command for
    each finding, by the finding's name or its beginning. options: those that the run has, so that
    advice names no other; None where not known.
    """
    what = "modes" if data.modes is not None else "cells of the real data"
    names = (data.classes or ()) if data.modes is not None else ()
    layers = {str(i): layer for i, layer in enumerate(exam.layers.values(), 1)}
    separations, game = earlier("separation"), exam.game

    def cure(finding: str) -> str:
        return cures.get(finding, "")

    found = [
        diagnose_mode_collapse(
            exam.collapse, names=names, what=what, command=cure("mode-collapse"), options=options
        ),
        diagnose_dead_units(layers, player=game.player, command=cure("dead-units"), options=options),
        judge.diagnose_vanishing(
            earlier("gradient"), separations, command=cure("vanishing-gradient"), options=options
        ),
        diagnose_oscillation(
            [torch.tensor(row) for row in earlier("modes")], what=what, command=cure("mode-oscillation")
        ),
    ]
    if game.sigmoid:
        saturations = earlier("saturation")
        found.append(judge.diagnose_saturation(separations, saturations, command=cure("critic-saturated")))
    if game.slope is not None:
        found.append(
            judge.diagnose_slope(
                earlier("slope"),
                gaps=earlier("gap"),
                weight=game.slope.weight,
                one_sided=game.slope.one_sided,
                command=cure("slope-not-held"),
            )
        )
    return [finding for finding in found if finding is not None]
