"""Everything that a report tells, read from a run folder; what cannot be had is left out and noted."""

from __future__ import annotations

import fcntl
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pushforward.config import RunConfig
from pushforward.core import Finding
from pushforward.data import Dataset, Scan, Splits
from pushforward.data.dataset import split_validation
from pushforward.data.kinds import size_of
from pushforward.errors import UserError
from pushforward.evaluation import Evaluation, Metric, evaluate
from pushforward.evaluation.kept import read_kept, weights_of
from pushforward.files import read_metrics
from pushforward.models.model import Model
from pushforward.models.store import load
from pushforward.observers.findings import read_findings
from pushforward.reading import Damaged, read_json
from pushforward.run_folder import RunFolder
from pushforward.runs.data import load_data, prepared, read_run
from pushforward.runs.places import moved
from pushforward.runs.reopen import changed_data, pick

# Pixel values that the evaluation may decode: 500 images of 28 x 28 with 100 samples each, about 2 s.
BUDGET = 500 * 100 * 784
MOST_IMAGES, LEAST_IMAGES = 500, 20
MOST_POINTS = 5000  # of few numbers each, which a distance between samples needs
MOST_SAMPLES, LEAST_SAMPLES = 100, 10


@dataclass(frozen=True)
class StreamData:
    """One stream of the run's data as training saw it. scans: how reading went, one a source."""

    train: Dataset
    held_out: Dataset
    scans: tuple[Scan, ...]
    how: str
    validation: int = 0


@dataclass(frozen=True)
class Facts:
    """A run, looked at once.

    rows: of metrics.jsonl. kept: what `evaluate` measured of these weights and the report does not. best:
    `model.json` of the best checkpoint. data: by stream; empty where they cannot be read. evaluation: on the
    first stream. notes: what a reader should know of this report: what could not be read, what changed since.
    """

    folder: Path
    config: RunConfig
    rows: list[dict[str, Any]]
    finished: bool
    running: bool
    findings: list[Finding] = field(default_factory=list)
    best: dict[str, Any] | None = None
    model: Model | None = None
    data: Mapping[str, StreamData] = field(default_factory=dict)
    evaluation: Evaluation | None = None
    kept: tuple[Metric, ...] = ()
    notes: list[str] = field(default_factory=list)

    @property
    def first(self) -> StreamData | None:
        """The stream that the model is about where it names none."""
        return next(iter(self.data.values()), None)

    @property
    def step(self) -> int:
        """The last step that was logged."""
        return max((row.get("step", 0) for row in self.rows), default=0)

    @property
    def seconds(self) -> float:
        """Wall time of the training so far."""
        return max((row.get("seconds", 0.0) for row in self.rows), default=0.0)


def read_facts(folder: Path, *, elsewhere: str | None = None) -> Facts:
    """Read a run folder and measure its model. Raises UserError only where the folder is no run.

    elsewhere: where the run's data lie now.
    """
    config = read_run(folder)
    if elsewhere is not None:
        config = moved(config, config.streams[0], elsewhere)
    notes: list[str] = []
    model = _model(folder, notes)
    data = _data(config, notes)
    if model and data and not _fits(model, data, notes):
        data = {}
    first = next(iter(data.values()), None)
    evaluation = _evaluation(model, first) if model and first else None
    return Facts(
        folder,
        config,
        _rows(folder, notes),
        finished=RunFolder(folder).finished,
        running=_running(RunFolder(folder).lock),
        findings=_findings(folder, notes),
        best=_json(RunFolder(folder).best.model, notes),
        model=model,
        data=data,
        evaluation=evaluation,
        kept=_kept(folder, model, evaluation, notes) if model and evaluation else (),
        notes=notes,
    )


def effort(available: int, pixel_values: int) -> tuple[int, int]:
    """How many images to measure on, with how many samples each, so that a report takes seconds.

    A rule of sizes alone, so that the same run has the same report everywhere.
    """
    decodes = BUDGET // pixel_values
    n = min(available, MOST_IMAGES, max(LEAST_IMAGES, decodes // LEAST_SAMPLES))
    return n, min(MOST_SAMPLES, max(LEAST_SAMPLES, decodes // max(1, n)))


def _running(lock: Path) -> bool:
    """Whether a process holds the lock; the file alone may be left over from one that was killed."""
    try:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _fits(model: Model, data: Mapping[str, StreamData], notes: list[str]) -> bool:
    for stream, own in data.items():
        shape = model.shapes.get(stream, model.shape)
        if own.held_out.shape != shape:
            of = f" of {stream}" if len(data) > 1 else ""
            notes.append(
                f"the data{of} are {size_of(own.held_out.shape)} now and the model takes {size_of(shape)}, "
                "so nothing could be measured"
            )
            return False
    return True


def affordable(model: Model, n: int) -> int:
    """So many rows, or fewer where each takes a model many calls of its network, but 20 at least."""
    return max(min(n, LEAST_IMAGES), n // model.algorithm.passes)


def _evaluation(model: Model, data: StreamData) -> Evaluation:
    n, k = effort(len(data.held_out), math.prod(model.shape))
    if len(model.shape) == 1:
        n = min(len(data.held_out), MOST_POINTS)
    chosen = pick(data.held_out, affordable(model, n), 0)
    return evaluate(model, chosen, k=k, cheap_only=True)


def _kept(folder: Path, model: Model, evaluation: Evaluation, notes: list[str]) -> tuple[Metric, ...]:
    """What `evaluate` measured of these very weights, and the report does not."""
    try:
        kept = read_kept(folder)
    except ValueError as error:
        notes.append(f"the last evaluation could not be read ({error}); run `pushforward evaluate` again")
        return ()
    if kept is None:
        return ()
    if kept.step != model.about["step"] or kept.weights not in (None, weights_of(folder)):
        notes.append(
            f"the last evaluation was of step {kept.step:,}, and of other weights, so it is not shown; "
            "run `pushforward evaluate` again"
        )
        return ()
    return tuple(metric for metric in kept.metrics if evaluation.find(metric.name) is None)


def _model(folder: Path, notes: list[str]) -> Model | None:
    if not RunFolder(folder).model.is_file():
        notes.append("no model is saved yet, so there are no pictures and no measurements of it")
        return None
    try:
        return load(folder)
    except UserError as error:
        notes.append(f"the model could not be loaded ({error})")
        return None


def _data(config: RunConfig, notes: list[str]) -> dict[str, StreamData]:
    try:
        splits = load_data(config)
    except UserError as error:
        notes.append(f"the images could not be read again ({error})")
        return {}
    changed = changed_data(config, splits)
    if changed:
        notes.append(f"{changed}; pictures and figures below are of the images as they are now")
    return {stream: _of_stream(config, own) for stream, own in splits.items()}


def _of_stream(config: RunConfig, splits: Splits) -> StreamData:
    train, validation = split_validation(splits.train, config.train.validation or 0.0)
    scans = {scan.source: scan for scan in (splits.train.scan, splits.test.scan)}
    return StreamData(
        prepared(config, train),
        prepared(config, splits.test),
        tuple(scans.values()),
        splits.how,
        0 if validation is None else len(validation),
    )


def _findings(folder: Path, notes: list[str]) -> list[Finding]:
    order = {"critical": 0, "warning": 1, "info": 2}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = read_findings(RunFolder(folder).findings)
    notes += [str(note.message) for note in told]
    return sorted(found, key=lambda f: order.get(f.severity, 3))


def _rows(folder: Path, notes: list[str]) -> list[dict[str, Any]]:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        rows = read_metrics(RunFolder(folder).metrics)
    notes += [str(note.message) for note in told]
    return rows


def _json(path: Path, notes: list[str]) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        content: dict[str, Any] = read_json(path, "BestAbout")
    except Damaged as error:
        notes.append(str(error))
        return None
    return content
