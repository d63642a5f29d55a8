"""One self-contained HTML page from a run."""

from __future__ import annotations

from pathlib import Path

from pushforward.run_folder import RunFolder


def write_report(folder: Path, out: Path | None = None, *, data: str | None = None) -> Path:
    """Write RUN/report.html, or `out`, in one step, and return its path.

    The page needs no other file and no network. It works for a run that is not finished: what is not
    there yet is left out. data: where the run's data lie now. Raises UserError where the folder is no run.
    """
    from pushforward.files import write_durably
    from pushforward.report.facts import read_facts
    from pushforward.report.page import render

    path = out or RunFolder(folder).report
    write_durably(path, render(read_facts(folder, elsewhere=data)).encode())
    return path
