"""One self-contained HTML page from a run."""

from __future__ import annotations

from pathlib import Path


def write_report(folder: Path) -> Path:
    """Write RUN/report.html."""
    return folder / "report.html"
