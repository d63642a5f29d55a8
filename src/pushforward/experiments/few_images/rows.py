"""The rows of `few-images`: a remedy, its options, and what its step costs. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pushforward.experiments.harness.experiment import Budget

BATCH = 32
SECONDS: Mapping[Budget, int] = {"quick": 80, "full": 3600}
SETS: Mapping[Budget, Mapping[str, tuple[int, ...]]] = {
    "quick": {"fashion-mnist": (100, 1000)},
    "full": {"fashion-mnist": (100, 1000, 6000), "orl-faces": (200,), "emoji": (200, 1000)},
}
SHARED: Mapping[str, Any] = {"network": "dcgan", "width": 16}
NONE, DA, DIFFAUGMENT, ADA, APA = "no remedy", "DA, turns", "DiffAugment", "ADA", "APA"
DAG, DAG_FLIP, DAG_LOSSY = "DAG, turns", "DAG, flips", "DAG, shifts and crops"
DAG_FLIPROT, DAG_SINGLE = "DAG, flips and turns", "DAG-single, turns"
LECAM, DIFF_CR, DIFF_LECAM = "LeCam", "DiffAugment + CR", "DiffAugment + LeCam"
PROJECTED, IMLE, FROM_DIGITS = "projected", "RS-IMLE", "from digits"


@dataclass(frozen=True, kw_only=True)
class Row:
    """milliseconds: processor time of a step of 32 grey images of 32 × 32 pixels, in turn with the others, on
    one core of a Xeon with AMX; steps follow from it, so that all rows have the same time anywhere. start: a
    set that an earlier run has learned from."""

    milliseconds: float
    options: Mapping[str, Any] = field(default_factory=dict)
    method: str = "r3gan"
    start: str | None = None


def _augmented(milliseconds: float, augment: str, **options: Any) -> Row:
    return Row(milliseconds=milliseconds, options={"augment": augment, **options})


ADAPTS: Mapping[str, Any] = {"ada_images": 20_000}
ROWS: Mapping[str, Row] = {
    NONE: Row(milliseconds=32.3),
    DA: _augmented(33.1, "da"),
    DIFFAUGMENT: _augmented(35.6, "diffaugment"),
    ADA: _augmented(40.2, "ada", **ADAPTS),
    APA: _augmented(32.6, "apa", **ADAPTS),
    DAG: _augmented(91.8, "dag"),
    DAG_FLIP: _augmented(92.1, "dag", dag_transforms=["flip"]),
    DAG_FLIPROT: _augmented(92.4, "dag", dag_transforms=["fliprot"]),
    DAG_LOSSY: _augmented(73.2, "dag", dag_transforms=["translation", "crop"], dag_heads_per_step=2),
    DAG_SINGLE: _augmented(92.5, "dag-single"),
    LECAM: Row(milliseconds=33.9, options={"lecam": 0.3}),
    DIFF_CR: _augmented(40.8, "diffaugment", consistency="cr"),
    DIFF_LECAM: _augmented(37.0, "diffaugment", lecam=0.3),
    PROJECTED: Row(
        milliseconds=127.0,
        method="sngan",
        options={"critic": "projected", "augment": "diffaugment", "n_critic": 1, "ema": 0.96},
    ),
    IMLE: Row(milliseconds=98.5, method="rs-imle", options={"generator_norm": "batch", "latent_dim": 64}),
    FROM_DIGITS: Row(milliseconds=32.3, start="mnist10k"),
}
# With 100 images alone: λ, and the transforms that are shown in a step.
KNOBS: Mapping[str, Row] = {
    "DAG, turns, λ = 0.05": _augmented(92.0, "dag", dag_weight=0.05),
    "DAG, turns, λ = 1": _augmented(92.0, "dag", dag_weight=1.0),
    "DAG, one of three turns": _augmented(51.5, "dag", dag_heads_per_step=1),
    "DAG, two of three turns": _augmented(71.6, "dag", dag_heads_per_step=2),
}
# Of the quick budget's 1,000 images.
EVERYWHERE = (NONE, DA, DIFFAUGMENT, ADA, DAG, DAG_SINGLE, LECAM, DIFF_LECAM, PROJECTED)


def asked(label: str, budget: Budget) -> dict[str, Any]:
    """Of a row: what its cells are told beside the images."""
    row = {**ROWS, **KNOBS}[label]
    network = {"width": SHARED["width"]} if row.method == "rs-imle" else SHARED
    told: dict[str, Any] = {
        "method": row.method,
        "options": {**network, **row.options},
        "steps": round(1000 * SECONDS[budget] / row.milliseconds),
        "batch": BATCH,
    }
    return told if row.start is None else told | {"start": row.start}


def alike(budget: Budget) -> int:
    """The step at which all rows have seen as many images: the last one of DAG with all heads."""
    return min(round(1000 * SECONDS[budget] / ROWS[label].milliseconds) for label in (DAG, DAG_FLIP))


def setting_of(data: str, n: int) -> str:
    """Of a number of images of a set."""
    return f"{data}, {n:,} images"
