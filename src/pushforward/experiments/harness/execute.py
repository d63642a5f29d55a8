"""Run an experiment: cells from the cache or from processes, then rows and checks. Torch-free."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pushforward.errors import UserError
from pushforward.experiments.harness.cache import CellCache, Record
from pushforward.experiments.harness.experiment import Budget, Cell, Check, Experiment, Results, Row
from pushforward.experiments.harness.machine import cores, versions
from pushforward.experiments.harness.pool import Event, Failed, Finished, run_cells
from pushforward.experiments.harness.sources import Sources
from pushforward.experiments.harness.summary import check, seed_rows
from pushforward.experiments.harness.table import load_experiment


@dataclass
class Watch:
    """What a caller may show. plan: all cells and those that the cache holds. event: of one cell."""

    plan: Callable[[Sequence[Cell], Mapping[Cell, Record]], None] = lambda cells, cached: None
    event: Callable[[Event], None] = lambda event: None


@dataclass(frozen=True, kw_only=True)
class Execution:
    """All that came of it. records: finished cells. failures: cell -> its error in one line."""

    experiment: Experiment
    budget: Budget
    seeds: Sequence[int]
    records: Mapping[Cell, Record]
    failures: Mapping[Cell, str]
    results: Results
    rows: Sequence[Row]
    checks: Sequence[Check]

    @property
    def seconds(self) -> float:
        """Compute that the cells took: the sum of their wall-clock seconds, whenever they ran."""
        return sum(record.seconds for record in self.records.values())


def execute(
    module: str,
    *,
    budget: Budget = "quick",
    seeds: int | None = None,
    workers: int | None = None,
    fresh: bool = False,
    data: str | None = None,
    watch: Watch | None = None,
) -> Execution:
    """Run the experiment in `module`. Finished cells are kept as they come, and not run again unless `fresh`.

    seeds: how many, from 0; the experiment's own number by default. workers: processes at a time, by default
    one a core; the cores are shared out among them as threads. data: images in place of the experiment's own.
    Raises UserError for numbers that cannot be, and for data where the experiment has no choice of them.
    """
    sources = Sources(module)
    experiment = load_experiment(module)
    chosen = range(_at_least_one("--seeds", experiment.seeds[budget] if seeds is None else seeds))
    cells = _distinct(_cells(experiment, budget, chosen, data))
    watch = watch or Watch()
    cache = CellCache(experiment.name, sources, versions())
    found = {} if fresh else {cell: record for cell in cells if (record := cache.get(cell))}
    watch.plan(cells, found)
    todo = [cell for cell in cells if cell not in found]
    failures: dict[Cell, str] = {}
    if todo:
        crew = min(len(todo), cores() if workers is None else _at_least_one("--workers", workers))
        threads = max(1, cores() // crew)
        for event in run_cells(module, todo, workers=crew, threads=threads, log_of=cache.log):
            if isinstance(event, Finished):
                found[event.cell] = _record(event, sources, cache.versions)
                cache.put(event.cell, found[event.cell])
            elif isinstance(event, Failed):
                failures[event.cell] = event.error
            watch.event(event)
    records = {cell: found[cell] for cell in cells if cell in found}
    return _outcome(experiment, budget, chosen, records, failures)


def _record(event: Finished, sources: Sources, versions: Mapping[str, str]) -> Record:
    return Record(
        figures=event.figures,
        seconds=event.seconds,
        hardware=event.hardware,
        versions=versions,
        code=sources.hashes(event.modules),
    )


def _outcome(
    experiment: Experiment,
    budget: Budget,
    seeds: Sequence[int],
    records: Mapping[Cell, Record],
    failures: Mapping[Cell, str],
) -> Execution:
    results = Results({cell: record.figures for cell, record in records.items()}, set(failures))
    if experiment.rows is None:
        rows: Sequence[Row] = seed_rows(experiment, results)
    else:  # a table of its own making may need every cell
        rows = [] if failures else experiment.rows(results)
    return Execution(
        experiment=experiment,
        budget=budget,
        seeds=seeds,
        records=records,
        failures=failures,
        results=results,
        rows=rows,
        checks=[check(claim, results) for claim in experiment.claims(budget)],
    )


def _cells(experiment: Experiment, budget: Budget, seeds: Sequence[int], data: str | None) -> Sequence[Cell]:
    if data is None:
        return experiment.cells(budget, seeds)
    if experiment.cells_on is None:
        raise UserError(
            f"--data: {data}, but {experiment.name} is about the data that it names; leave it out"
        )
    return experiment.cells_on(budget, seeds, data)


def _distinct(cells: Sequence[Cell]) -> list[Cell]:
    names = [(cell.method, cell.setting, cell.seed) for cell in cells]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"cells of one name: {sorted(twice)}; method, setting and seed must name a cell")
    return list(cells)


def _at_least_one(name: str, value: int) -> int:
    if value < 1:
        raise UserError(f"{name}: {value}; expected at least 1")
    return value
