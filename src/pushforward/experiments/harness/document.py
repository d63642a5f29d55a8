"""An outcome as JSON: what the command prints, and what it writes to docs/results. Torch-free."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pushforward.errors import UserError
from pushforward.experiments.harness.cache import write_whole
from pushforward.experiments.harness.execute import Execution
from pushforward.experiments.harness.experiment import Budget
from pushforward.experiments.harness.machine import versions

RESULTS = Path("docs/results")
_SIZE = {"quick": 0, "full": 1}


def contract(outcome: Execution) -> dict[str, Any]:
    """What `--json` prints. seconds: compute spent on the cells, those from the cache included."""
    return {
        "name": outcome.experiment.name,
        "budget": outcome.budget,
        "seconds": round(outcome.seconds, 3),
        "rows": [asdict(row) for row in outcome.rows],
        "checks": [asdict(check) for check in outcome.checks],
    }


def document(outcome: Execution, *, commit: str | None) -> dict[str, Any]:
    """The contract and where it came from: title, command, seeds, commit, hardware and versions."""
    experiment = outcome.experiment
    command = (
        f"pushforward experiment {experiment.name} --budget {outcome.budget} --seeds {len(outcome.seeds)}"
    )
    return {
        **contract(outcome),
        "title": experiment.title,
        "about": experiment.about,
        "paper": experiment.source,
        "command": command,
        "seeds": list(outcome.seeds),
        "cells": len(outcome.records),
        "seconds_are": "the sum of the wall-clock seconds of the cells, each measured when it ran",
        "commit": commit,
        "hardware": list(dict.fromkeys(record.hardware for record in outcome.records.values())),
        "versions": versions(),
        "plot": None if experiment.plot is None else f"{experiment.name}.svg",
    }


def destination(name: str, budget: Budget, folder: Path | None) -> tuple[Path, bool]:
    """Where the result goes, and whether it would replace a larger budget's without having been asked to.

    NAME.json in the folder; by default in docs/results where there is one, else in the current folder.
    """
    path = (folder or (RESULTS if RESULTS.is_dir() else Path())) / f"{name}.json"
    return path, folder is None and _SIZE[budget] < _SIZE.get(_budget_of(path), 0)


def write(outcome: Execution, path: Path, *, commit: str | None) -> None:
    """Write the JSON and, beside it, the SVG of an experiment with a plot. Raises UserError if it cannot."""
    content = json.dumps(document(outcome, commit=commit), indent=1, ensure_ascii=False, allow_nan=False)
    try:
        if outcome.experiment.plot is not None:
            write_whole(path.with_suffix(".svg"), svg(outcome.experiment.plot(outcome.results)))
        write_whole(path, content + "\n")
    except OSError as error:
        raise UserError(
            f"--out: cannot write {path} ({error.strerror}); choose another folder (nothing is run again)"
        ) from error


def svg(figure: Any) -> str:
    """A matplotlib figure as SVG text, the same bytes for the same figure."""
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "pushforward", "svg.fonttype": "path"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None}, bbox_inches="tight")
    lines = (line.rstrip() for line in buffer.getvalue().splitlines())
    return "\n".join(lines) + "\n"


def _budget_of(path: Path) -> str:
    try:
        return str(json.loads(path.read_text())["budget"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
