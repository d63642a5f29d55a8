"""What measuring comes to: figures with their intervals, what was skipped and why."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor

from pushforward.core import to_float
from pushforward.data import Dataset
from pushforward.models.marginal import Rung
from pushforward.models.model import Model
from pushforward.models.sampling import DECODED_AT_ONCE
from pushforward.objectives.annealing import Annealing
from pushforward.objectives.montecarlo import mean_interval

SAMPLES = 5000  # of images, that are drawn to be measured


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One measured figure.

    ci95: half-width of its 95 % confidence interval over the images, None where it is no mean. floor:
    the value that a perfect model would have, None where that is unknown. features: the feature space
    of a distance, None where it is measured on pixels or likelihoods.
    """

    name: str
    value: float
    ci95: float | None = None
    floor: float | None = None
    unit: str
    higher_is_better: bool | None = None
    features: str | None = None


@dataclass(frozen=True)
class Skipped:
    """A metric that was not measured, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Evaluation:
    """What was measured on n images.

    detail: figures per latent dimension or per image. notes: what a reader must know of the figures.
    """

    n: int
    metrics: tuple[Metric, ...]
    skipped: tuple[Skipped, ...]
    detail: Mapping[str, list[float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def find(self, name: str) -> Metric | None:
        """The metric of that name, if it was measured."""
        return next((m for m in self.metrics if m.name == name), None)


@dataclass
class Outcome:
    """What one measure came to."""

    metrics: list[Metric] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    detail: dict[str, list[float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How to estimate ln p(x): see `Model.likelihood`. k: draws an image of "iwae" and "prior".

    reference: what samples are compared with. train: what the model learned from, where it is known. samples:
    how many are drawn. features: by name, None for the first that the model has not seen.
    """

    likelihood: Rung = "iwae"
    k: int = 100
    annealing: Annealing
    seed: int = 0
    reference: Dataset
    train: Dataset | None = None
    samples: int = SAMPLES
    features: str | None = None

    @property
    def draws(self) -> int:
        """What the estimate of one image is made of."""
        return self.annealing.chains if self.likelihood == "ais" else self.k

    @property
    def decodings(self) -> int:
        """Of one image, made together."""
        return self.annealing.chains + self.annealing.pilot_chains if self.likelihood == "ais" else self.k

    @property
    def name(self) -> str:
        """Of the metric: iwae-100, prior-10000, or ais-200 for so many temperatures."""
        return f"{self.likelihood}-{self.annealing.temperatures if self.likelihood == 'ais' else self.k}"


def chunks(model: Model, images: Tensor, k: int) -> Iterator[Float[Tensor, "b *x"]]:
    """Images as floats on the model's device, as many at once as k decodings each leave memory for."""
    size = max(1, DECODED_AT_ONCE // (k * math.prod(model.shape)))
    for chunk in images.split(min(size, 500)):
        yield to_float(chunk.to(model.device))


def mean_metric(
    name: str,
    values: Tensor,
    unit: str,
    *,
    higher_is_better: bool | None = None,
    floor: float | None = None,
) -> Metric:
    """The mean over rows, with its interval; one row has none."""
    mean = mean_interval(values.double())
    ci95 = None if math.isnan(mean.half_width) else mean.half_width.item()
    return Metric(
        name=name,
        value=mean.value.item(),
        ci95=ci95,
        floor=floor,
        unit=unit,
        higher_is_better=higher_is_better,
    )
