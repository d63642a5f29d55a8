"""What a run learned from, stream by stream, and what reading it came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from pushforward.data import Dataset, Scan
from pushforward.data.kinds import IMAGE, Kind, looks_of
from pushforward.pictures.points import Scene
from pushforward.report import svg
from pushforward.report.facts import Facts, StreamData
from pushforward.report.pictures import data_grid
from pushforward.runs.data import recorded

MOST_SKIPPED = 20
MOST_CLASSES = 12
SHOWN_POINTS = 600


@dataclass(frozen=True)
class ToldStream:
    """One stream. name: "" of the only one. shape: in words. how: where the split comes from.

    Counts are None, and words empty, where neither the config nor the data can tell.
    """

    name: str
    source: str
    test: str | None
    kind: Kind
    shape: str
    train: int | None
    held_out: int | None
    validation: int
    how: str
    classes: tuple[str, ...]
    more_classes: int
    scans: list[dict[str, Any]]

    @property
    def of(self) -> str:
        """What tells it from other streams in a sentence: " of a"."""
        return f" of {self.name}" if self.name else ""


@dataclass(frozen=True)
class Sheet:
    """What rows of a stream look like. drawing: an SVG, of points; else uri is a picture."""

    title: str
    uri: str = ""
    drawing: str = ""


def streams(facts: Facts) -> list[ToldStream]:
    """What the run learned from."""
    config = facts.config
    several = len(config.streams) > 1
    return [
        _told(name if several else "", config.sources[name], config.tests[name], told, facts.data.get(name))
        for name, told in recorded(config).items()
    ]


def sheets(facts: Facts) -> list[Sheet]:
    """Training data of each stream, where there are several; the samples are shown beside a single one."""
    if len(facts.data) < 2:
        return []
    return [_sheet(name, own.train) for name, own in facts.data.items()]


def kind(facts: Facts) -> Kind:
    """What the first stream holds."""
    shape = next(iter(recorded(facts.config).values())).get("shape")
    if shape is None:
        return facts.model.kind if facts.model else IMAGE
    return Kind.of(shape)


def fingerprints(facts: Facts) -> list[tuple[str, str | None]]:
    """Of each stream's parts, as they were in training."""
    several = len(facts.config.streams) > 1
    return [
        (f"{words} data of {name}" if several else f"{words} data", told.get(f"{part}_fingerprint"))
        for name, told in recorded(facts.config).items()
        for part, words in (("train", "training"), ("test", "held-out"))
    ]


def _told(
    name: str, source: str, test: str | None, told: Mapping[str, Any], data: StreamData | None
) -> ToldStream:
    shape: Sequence[int] | None = told.get("shape") or (data.train.shape if data else None)
    classes = (data.train.classes if data else None) or ()
    return ToldStream(
        name=name,
        source=source,
        test=test,
        kind=Kind.of(shape or ()),
        shape=looks_of(shape) if shape else "",
        train=told.get("train_images") or (len(data.train) if data else None),
        held_out=told.get("test_images") or (len(data.held_out) if data else None),
        validation=data.validation if data else 0,
        how=told.get("split") or (data.how if data else ""),
        classes=classes[:MOST_CLASSES],
        more_classes=max(0, len(classes) - MOST_CLASSES),
        scans=[scanned(scan) for scan in data.scans] if data else [],
    )


def scanned(scan: Scan) -> dict[str, Any]:
    """What reading one source came to."""
    return {
        "source": scan.source,
        "found": scan.found,
        "converted": list(scan.converted.items()),
        "duplicates": scan.duplicates,
        "skipped": scan.skipped[:MOST_SKIPPED],
        "n_skipped": len(scan.skipped),
    }


def _sheet(name: str, data: Dataset) -> Sheet:
    title = f"Training {Kind.of(data.shape).many} of {name}"
    if len(data.shape) == 3:
        return Sheet(title, uri=data_grid(data.x))
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(0))
    scene = Scene.of(data.x)
    drawing = svg.cloud(
        [],
        scene.see(data.x[order[:SHOWN_POINTS]]).tolist(),
        scene.limits,
        names=scene.names,
        square=scene.square,
        label=title,
    )
    return Sheet(title, drawing=drawing)
