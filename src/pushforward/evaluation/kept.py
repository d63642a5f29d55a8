"""`evaluation.json` of a run: what `evaluate` measured on its held-out data, for the report to show."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pushforward.evaluation.outcome import Metric
from pushforward.files import write_durably
from pushforward.reading import read_json
from pushforward.run_folder import RunFolder


@dataclass(frozen=True)
class Kept:
    """What an earlier evaluation came to. step: of the weights that it measured. n: rows of held-out data."""

    step: int
    n: int
    metrics: tuple[Metric, ...]


def keep(run: Path, content: Mapping[str, Any]) -> None:
    """Write what `evaluate --json` prints, in one step."""
    write_durably(RunFolder(run).evaluation, (json.dumps(content, indent=1) + "\n").encode())


def read_kept(run: Path) -> Kept | None:
    """What was kept; None where nothing was. Raises ValueError for a file that is none of ours."""
    path = RunFolder(run).evaluation
    if not path.is_file():
        return None
    content = read_json(path, "Evaluation")
    try:
        metrics = tuple(Metric(**metric) for metric in content["metrics"])
        return Kept(int(content["step"]), int(content["n"]), metrics)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path.name}: {error}") from error
