"""`evaluation.json` of a run: what `evaluate` measured on its held-out data, for the report to show."""

from __future__ import annotations

import hashlib
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
    """What an earlier evaluation came to.

    step: of the weights that it measured. weights: the SHA-256 of their file, None in files of version 0.1.0.
    n: rows of held-out data.
    """

    step: int
    weights: str | None
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
        return Kept(int(content["step"]), content.get("weights"), int(content["n"]), metrics)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path.name}: {error}") from error


def weights_of(run: Path) -> str:
    """The SHA-256 of a run's published weights."""
    with RunFolder(run).weights.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
