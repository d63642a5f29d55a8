"""`pushforward experiment NAME`: rerun a claim or a paper's table."""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Literal

from pushforward.cli.options import parse
from pushforward.errors import RunFailed, Stopped, UserError
from pushforward.experiments.harness.table import EXPERIMENTS, Entry, find_entry

if TYPE_CHECKING:
    from pushforward.experiments.harness.execute import Execution

HELP = """usage: pushforward experiment NAME [OPTIONS]
       pushforward experiment list

Rerun a claim or a paper's table: frozen runs, the paper's figures beside ours, and checks.
The exit status is 1 when a required check does not hold.

experiments, with the minutes of the quick budget on two cores{results}:
{experiments}

The options: pushforward experiment NAME --help
"""


WIDTH = max(map(len, EXPERIMENTS))


@dataclass(kw_only=True)
class ExperimentOptions:
    """Options of `experiment NAME`."""

    budget: Literal["quick", "full"] = "quick"
    """quick: minutes, enough for the claim; full: the paper's setting where it can be had."""
    seeds: int | None = None
    """How many seeds, counted from 0. Default: the experiment's own number."""
    workers: int | None = None
    """Processes at a time. Default: one a core; the cores are shared out among them as threads."""
    out: Path | None = None
    """Folder for NAME.json. Default: docs/results where there is one, else the current folder."""
    fresh: bool = False
    """Run every cell again, also those that finished before."""
    data: str | None = None
    """Images in place of the experiment's own, where it leaves the choice: a path or a name, as for train."""
    json: bool = False
    """Print the result as JSON."""


def run(argv: list[str]) -> None:
    """List, or parse, run, write and print."""
    if not argv or argv[0] in ("-h", "--help", "list"):
        listing = "\n".join(_listed(entry) for entry in EXPERIMENTS.values())
        results = ", and of its checks those that hold in the results here" if " hold " in listing else ""
        print(HELP.format(experiments=listing, results=results), end="")
        return
    if argv[0].startswith("-"):
        raise UserError(f"NAME: none given before {argv[0]}; expected one of {', '.join(EXPERIMENTS)}")
    entry = find_entry(argv[0])
    description = f"{entry.summary[0].upper()}{entry.summary[1:]}."
    options = parse(ExperimentOptions, argv[1:], prog=f"experiment {entry.name}", description=description)
    signal.signal(signal.SIGTERM, _stop)
    outcome = _execute(entry.module, options)
    _finish(outcome, options)


def _listed(entry: Entry) -> str:
    """Its name, the minutes of its quick budget, what came of it where results lie here, and its claim."""
    if entry.minutes is None:
        minutes = "not run"
    else:
        minutes = f"{entry.minutes:.0f} min" if entry.minutes >= 1 else "< 1 min"
    return f"  {entry.name:<{WIDTH}} {minutes:>7}  {_verdict(entry.name):<15} {entry.summary}"


def _verdict(name: str) -> str:
    from pushforward.experiments.harness.document import destination
    from pushforward.reading import Damaged, read_json

    path, _ = destination(name, "full", None)
    try:
        checks = read_json(path, "Anything")["checks"]
        return f"{sum(check['holds'] for check in checks)} of {len(checks)} hold"
    except (OSError, Damaged, KeyError, TypeError):
        return ""


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped(number, "stopped; finished cells are kept and will not be run again")


def _execute(module: str, options: ExperimentOptions) -> Execution:
    from pushforward.cli.experiment_display import ExperimentDisplay
    from pushforward.experiments.harness.execute import execute

    with ExperimentDisplay() as display:
        return execute(
            module,
            budget=options.budget,
            seeds=options.seeds,
            workers=options.workers,
            fresh=options.fresh,
            data=options.data,
            watch=display.watch,
        )


def _finish(outcome: Execution, options: ExperimentOptions) -> None:
    """Print, write what is complete, and raise RunFailed where a cell or a required check failed."""
    from pushforward.cli.experiment_display import show
    from pushforward.experiments.harness.document import contract

    if options.json:
        print(json.dumps(contract(outcome), indent=1, ensure_ascii=False, allow_nan=False))
    else:
        show(outcome)
    name, failed = outcome.experiment.name, len(outcome.failures)
    if failed:
        raise RunFailed(
            f"{name}: {failed} of {failed + len(outcome.records)} cells failed, so no result was written; "
            "the others are kept: mend the cause and run it again"
        )
    _write(outcome, options)
    missed = [check.claim for check in outcome.checks if check.required and not check.holds]
    if missed:
        raise RunFailed(f"{name}: does not hold: {'; '.join(missed)}")


def _write(outcome: Execution, options: ExperimentOptions) -> None:
    from pushforward.experiments.harness.document import destination, write
    from pushforward.runs.data import git_commit

    name = outcome.experiment.name
    path, replaces = destination(name, outcome.budget, options.out)
    if replaces:
        said = f"not written: {path} holds the full budget's result; --out {path.parent} replaces it"
    else:
        write(outcome, path, commit=git_commit())
        said = str(path)
    print(f"result  {said}", file=sys.stderr if options.json else sys.stdout)
