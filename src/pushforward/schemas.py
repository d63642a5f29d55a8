"""What each file of a run folder must hold: one schema a file. Torch-free.

They say what readers rely on; keys beyond them are kept, so that a file of a newer version is read as far as
it is understood. `reading.read_json` asks for them by name.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

Step = Annotated[int, Field(ge=0, le=10**15)]
Side = Annotated[int, Field(ge=1, le=10**7)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class ClassesRow(_Open):
    """The classes of a conditional model."""

    names: list[str]
    shares: list[Number]


class About(_Open):
    """`model.json`."""

    format: int
    method: str
    options: dict[str, Any]
    extra: dict[str, Any]
    step: Step = 0
    shape: list[Side] | None = None
    shapes: dict[str, list[Side]] | None = None
    classes: ClassesRow | None = None


class BestAbout(About):
    """`best/model.json`, by which metric it is the best."""

    metric: str
    value: Number


class MetricsRow(BaseModel):
    """A line of `metrics.jsonl`."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Number | None] = Field(init=False)

    step: Step


class LookRow(_Open):
    """A line of `diagnosis.jsonl`."""

    step: Step
    modes: list[Number] | None = None
    due: list[Number] | None = None
    separation: Number | None = None
    saturation: Number | None = None
    slope: Number | None = None
    gap: Number | None = None
    gradient: Number | None = None


class FindingRow(BaseModel):
    """One finding."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str
    severity: str
    confidence: Number
    evidence: str
    advice: str
    command: str = ""
    headline: str = ""


class MetricRow(_Open):
    """A figure of an evaluation."""

    name: str
    value: Number
    unit: str = ""


class Evaluation(_Open):
    """`evaluation.json`."""

    step: Step
    n: Step
    metrics: list[MetricRow]


class ClockValues(BaseModel):
    """A checkpoint's clock."""

    model_config = ConfigDict(extra="forbid", strict=True)

    step: Step
    steps: Step
    images: Step
    since: Step = 0
    until: Step | None = None
    scheduled: bool = False


class Values(_Open):
    """A checkpoint's `values.json`."""

    clock: ClockValues
    stream: dict[str, Step]
    seconds: Number
    random: dict[str, Any]
    identity: dict[str, Any]
    extra: dict[str, Any]


class Mixture(_Open):
    """`mixture.json`."""

    identity: dict[str, Any]


Findings = TypeAdapter(dict[str, list[FindingRow]])
"""`findings.json`, by observer."""

Manifest = TypeAdapter(dict[str, str])
"""A checkpoint's checksums, by file."""

Anything = TypeAdapter(dict[str, Any])
"""Values of whoever uses checkpoints for something else."""
