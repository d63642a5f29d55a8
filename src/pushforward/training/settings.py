"""What a caller gives the loop: where data come from, how to run, and what it wants to hear."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pushforward.core import Algorithm, Clock, Draw, Finding, Observer, Snapshot
from pushforward.training.precision import Precision


class Source(Draw, Protocol):
    """A data stream that knows its place."""

    @property
    def images(self) -> int:
        """Images drawn so far, over all processes."""
        ...

    def state(self) -> dict[str, int]:
        """Position of each named stream."""

    def restore(self, state: Mapping[str, int]) -> None:
        """Go back to a position."""


@dataclass(frozen=True, kw_only=True)
class LoopSettings:
    """How to run, as opposed to what. Periods are in steps; 0 means never.

    rates: learning rates of single players, instead of their own. identity: JSON-able, kept in each
    checkpoint, for the caller to compare when resuming.
    """

    checkpoint_every: int = 1000
    log_every: int = 50
    precision: Precision = "fp32"
    seed: int = 0
    rates: Mapping[str, float] = field(default_factory=dict)
    identity: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Hooks:
    """What the loop tells its caller: progress after a step, a logged row, what an observer found (nothing,
    too), what all of them measured while the model is as published, publishing, naming a batch. kept is saved
    with each checkpoint, JSON-able, and restored gets it back on a resume."""

    progress: Callable[[Clock], None] = lambda clock: None
    logged: Callable[[Mapping[str, Any]], None] = lambda row: None
    found: Callable[[Observer, Sequence[Finding]], None] = lambda observer, findings: None
    measured: Callable[[Snapshot, Mapping[str, float]], None] = lambda snapshot, metrics: None
    publish: Callable[[Algorithm, Clock], None] = lambda algorithm, clock: None
    kept: Callable[[], Mapping[str, Any]] = dict
    restored: Callable[[Mapping[str, Any]], None] = lambda kept: None
    describe_batch: Callable[[Mapping[str, int]], str] = lambda position: ""
