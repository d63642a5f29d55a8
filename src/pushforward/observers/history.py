"""What an observer saw earlier in a run, in a file of the run folder, so that resuming does not forget it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pushforward.files import MetricsLog, read_metrics

LOOK = "LookRow"


class History:
    """Rows of a JSON-lines file, oldest first, up to the step that a run is at.

    Rows of this step and later ones come from a future that a resume has undone; they are dropped.
    """

    def __init__(self, path: Path, step: int) -> None:
        self.step = step
        self._log = MetricsLog(path, LOOK)
        rows = read_metrics(path, LOOK)
        self.rows = [row for row in rows if row["step"] < step]
        if len(self.rows) < len(rows):
            self._log.cut_back(step - 1)

    def add(self, **values: Any) -> None:
        """Append a row for this step."""
        row = {"step": self.step, **values}
        self._log.append(row)
        self.rows.append(row)

    def column(self, name: str) -> list[Any]:
        """A value's history; rows without it are left out."""
        return [row[name] for row in self.rows if row.get(name) is not None]
