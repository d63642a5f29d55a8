"""The vocabulary that every method shares: Player, Update, Algorithm, Observer, Finding.

A *player* is a module with its optimiser settings, an *algorithm* is one paper's players and its
`step`, and **a `yield` is a gradient step**: `step` yields `Update`s, and the training loop moves the
players that each one names. The algorithm knows nothing of the loop; the loop knows nothing of the paper.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from pushforward.errors import UserError


@dataclass(frozen=True, slots=True)
class Batch:
    """What a draw returns.

    x: float32 images in [-1, 1], NCHW (or points, ND). label: int64, N, or None. index: int64, N,
    the rows of the data set that were drawn.
    """

    x: Tensor
    label: Tensor | None
    index: Tensor


@runtime_checkable
class Draw(Protocol):
    """A stream of training batches. `n` defaults to the run's batch size (this process's share of it)."""

    def __call__(self, name: str = "data", n: int | None = None) -> Batch:
        """The next n of the named stream."""
        ...


@dataclass
class Clock:
    """Where a run is. The loop writes it, checkpoints it, and lends it to the algorithm.

    step: finished calls of `Algorithm.step`. steps: how many there will be. images: images drawn so far.
    since, until: the steps at which schedules begin and end; None for the end of the run. A run that is made
    longer keeps them, or begins them anew. scheduled: whether anything has asked for `fraction`.
    """

    step: int = 0
    steps: int = 1
    images: int = 0
    since: int = 0
    until: int | None = None
    scheduled: bool = False

    @property
    def fraction(self) -> float:
        """How far schedules are, from 0 to 1: rates, noise, penalties, weights."""
        self.scheduled = True
        end = self.steps if self.until is None else self.until
        return min(1.0, max(0, self.step - self.since) / max(1, end - self.since))

    @property
    def done(self) -> float:
        """Finished share of the run, in [0, 1], for whoever looks on."""
        return min(1.0, self.step / max(1, self.steps))


def constant(clock: Clock) -> float:
    """The learning-rate factor that never changes."""
    return 1.0


def unchanging(clock: Clock) -> Mapping[str, Any]:
    """No option of an optimiser changes."""
    return {}


def cosine(clock: Clock) -> float:
    """A learning-rate factor that falls from 1 to 0 over the run along half a cosine."""
    return 0.5 * (1 + math.cos(math.pi * clock.fraction))


@dataclass(frozen=True, kw_only=True)
class Player:
    """A module with its optimiser settings. It does not know its loss.

    module: whose parameters move. optimizer: a class of torch.optim. lr: its base rate, per step.
    options: further keyword arguments of the optimiser. schedule: a factor of `lr` read from the clock
    before every step. changing: options of the optimiser that follow the clock, such as Adam's betas, set
    before every step. clip_norm: largest total L2 norm of the gradient. ema: decay per step of an exponential
    moving average of the weights, with which the trained model is then published; a function of the clock
    where it changes.
    """

    module: nn.Module
    optimizer: type[torch.optim.Optimizer] = torch.optim.Adam
    lr: float = 1e-3
    options: Mapping[str, Any] = field(default_factory=dict)
    schedule: Callable[[Clock], float] = constant
    clip_norm: float | None = None
    ema: float | Callable[[Clock], float] | None = None
    changing: Callable[[Clock], Mapping[str, Any]] = unchanging

    def __post_init__(self) -> None:
        if not self.lr > 0:
            raise UserError(f"`lr`: {self.lr}; expected a positive number, such as 1e-3")
        if isinstance(self.ema, int | float) and not 0 < self.ema < 1:
            raise UserError(f"`ema`: {self.ema}; expected a decay between 0 and 1, such as 0.999")

    def parameters(self) -> list[nn.Parameter]:
        """The parameters that this player owns, in registration order."""
        return [p for p in self.module.parameters() if p.requires_grad]


@dataclass(frozen=True)
class Update:
    """One gradient step.

    losses: {player name: scalar to minimise}. Every player named moves, simultaneously. Entries that
    share a loss tensor share one backward pass. info: scalars to log and to hand back. share: statistics
    of the batch to hand back, floating, of any shape (the same in all processes), which are not logged.
    The value of the `yield` is one mapping with both, detached and averaged over processes. Raises
    ValueError for a name in both, and for integers in `share`, whose mean is no integer.
    """

    losses: Mapping[str, Tensor]
    info: Mapping[str, Tensor] = field(default_factory=dict)
    share: Mapping[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in self.share.items():
            if name in self.info:
                raise ValueError(f"`share`: '{name}' is in `info` too; expected another name in one of them")
            if not value.is_floating_point():
                raise ValueError(
                    f"`share`: '{name}' is {value.dtype}; expected a floating tensor, since what comes back "
                    "is a mean over processes: give `.float()` of it"
                )

    def answer(self) -> dict[str, Tensor]:
        """The value of the `yield` where there is one process: `info` and `share`, detached."""
        return {name: value.detach() for name, value in (*self.info.items(), *self.share.items())}


Steps = Generator[Update, Mapping[str, Tensor], None]


@dataclass(frozen=True)
class Selector:
    """What chooses the weights that a run keeps in `best/`: a metric that an observer logs, and its sense."""

    metric: str
    higher_is_better: bool = True

    def prefers(self, value: float, to: float | None) -> bool:
        """Whether a value is better than another one; than none, where it is a finite number."""
        if not math.isfinite(value):
            return False
        return to is None or (value > to if self.higher_is_better else value < to)


class Algorithm(nn.Module, ABC):
    """The players and hyper-parameters of one paper.

    All state lives in parameters, buffers or `get_extra_state` (JSON-able), so that `state_dict()`
    holds what a resume needs. A trained algorithm offers whichever it can of what `abilities` describes:
    `sample(n) -> x`, `encode(x) -> z`, `log_prob(x) -> nats`, ...

    Where several processes train, the state is taken to be the same in all of them. Weights are, since
    gradients are averaged. A buffer is, where it follows from weights, from the clock, or from what a `yield`
    handed back: what it must know of a batch goes through `Update.share`. `local` names what is not.
    """

    selector: ClassVar[Selector | None] = None
    """What chooses the best weights; where there is none, no training data are set aside."""
    passes: int = 1
    """Calls of a network that one encoding or decoding takes; of many a report looks at fewer rows."""
    features_seen: tuple[str, ...] = ()
    """Families of features that its loss or critic uses; they never judge it."""
    local: ClassVar[tuple[str, ...]] = ()
    """What each process has for itself, such as a pool of past samples: names of buffers or of modules, as in
    `state_dict()`. A checkpoint holds it once for each process, so the run resumes with as many as it had."""
    training_only: ClassVar[tuple[str, ...]] = ()
    """What a trained model does not need, such as a pool or moments: names of buffers or of modules, as in
    `state_dict()`. A checkpoint holds it; a published model does not, and loads with it as it is built."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.optimizers: Mapping[str, torch.optim.Optimizer] = {}
        """What moves each player in this run, lent by the loop for reading; empty outside of one."""

    @abstractmethod
    def players(self) -> Mapping[str, Player]:
        """Name -> player. Players' parameters are disjoint."""

    @abstractmethod
    def step(self, draw: Draw) -> Steps:
        """One training step: draw data, yield updates. Each yield is one gradient step."""

    def declared(self, declaration: Literal["local", "training_only"]) -> frozenset[str]:
        """The keys of `state_dict()` that a declaration names, those of algorithms inside this one too."""
        names = tuple(
            f"{path}.{name}" if path else name
            for path, module in self.named_modules()
            if isinstance(module, Algorithm)
            for name in getattr(module, declaration)
        )
        if not names:
            return frozenset()
        inside = tuple(f"{name}." for name in names)
        return frozenset(k for k in self.state_dict() if k in names or k.startswith(inside))

    def check_batch(self, n: int) -> None:
        """Raise UserError where a step cannot draw batches of n, this process's share of the batch."""


Severity = Literal["info", "warning", "critical"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A diagnosis: what was seen, how sure it is, and what to do about it.

    confidence: in [0, 1]. evidence: the measured figures, in words. advice: the cure, with parameters in
    backticks and no method by name, since it may be the one that runs. command: a command line that applies
    it, or the empty string. headline: what is wrong, in at most ten words.
    """

    name: str
    severity: Severity
    confidence: float
    evidence: str
    advice: str
    command: str = ""
    headline: str = ""


@dataclass(frozen=True)
class Observation:
    """What an observer saw: metrics to log under `metric/NAME`, and findings."""

    metrics: Mapping[str, float] = field(default_factory=dict)
    findings: Iterable[Finding] = ()


@dataclass(frozen=True)
class Snapshot:
    """What an observer may read: the model as it would be published (averaged weights, eval mode)."""

    algorithm: Algorithm
    clock: Clock
    folder: Path
    device: torch.device


class Observer(ABC):
    """Reads the state of a run. May not change a weight or a random stream; the loop sees to it.

    name: unique in a run; the class's own by default. What an observer of another name logs or remembers
    carries that name before it, so that two of one class can look at one run.
    """

    name: str

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in vars(cls):
            cls.name = cls.__name__

    @property
    def prefix(self) -> str:
        """Before each of its metrics: "" for the class's own name, else "NAME/"."""
        return "" if self.name == type(self).name else f"{self.name}/"

    @abstractmethod
    def due(self, clock: Clock) -> bool:
        """Whether to be called at this step boundary (step 0 included)."""

    @abstractmethod
    def observe(self, snapshot: Snapshot) -> Observation:
        """Measure, and write what belongs to the run folder."""


def to_float(images: Tensor) -> Tensor:
    """uint8 -> float32 in [-1, 1]; any shape. Floats are points and stay as they are."""
    if images.is_floating_point():
        return images
    return images.to(torch.float32).mul_(2 / 255).sub_(1)


def to_uint8(images: Tensor) -> Tensor:
    """Float in [-1, 1] -> uint8 by rounding, clamped; any shape. The inverse of `to_float`."""
    return images.detach().float().add(1).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)
