"""`pushforward report RUN`: one HTML page about a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from pushforward.cli.options import parse
from pushforward.cli.output import announce, writing
from pushforward.errors import UserError
from pushforward.run_folder import RunFolder

DESCRIPTION = (
    "Write one HTML page about a run, finished or not: how training went, what the model draws and "
    "how well it does, what to improve. The page needs no other file and no network. "
    "Example: pushforward report runs/vae-mnist5k --open"
)


@dataclass(kw_only=True)
class ReportOptions:
    """Which run, and where to put the page."""

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """The run folder that `pushforward train` made, such as runs/vae-mnist5k."""
    out: Path | None = None
    """The page to write, X.html. Default: RUN/report.html."""
    data: str | None = None
    """Where the run's data lie now, if not where they were."""
    open: bool = False
    """Show the page in the browser."""
    json: bool = False
    """Print the result as JSON."""


def run(argv: list[str]) -> None:
    """Parse, look, write."""
    options = parse(ReportOptions, argv, prog="report", description=DESCRIPTION)
    if options.out is not None and options.out.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--out: {options.out}; expected a page, such as {options.out.stem or 'report'}.html")
    from pushforward.report import write_report
    from pushforward.runs.data import read_run

    read_run(options.run)  # before any folder is made
    path = options.out or RunFolder(options.run).report
    with writing(path):
        write_report(options.run, path, data=options.data)
    if options.open:
        import webbrowser

        webbrowser.open(path.resolve().as_uri())
    announce(
        {"run": str(options.run), "out": str(path)}, as_json=options.json, line=lambda: f"report  {path}"
    )
