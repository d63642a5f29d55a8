"""Measure a trained model on images: what its abilities allow, and what was skipped and why.

A measure names the abilities of an algorithm that it needs. So a new metric is one entry of `MEASURES`,
and a new method is measured by whatever it can do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from pushforward.core import to_float
from pushforward.diagnostics.posterior_collapse import ACTIVE_VARIANCE, active_units
from pushforward.errors import UserError
from pushforward.latents import divergence
from pushforward.metrics.likelihood import Estimate, bits_per_dimension, mean_interval
from pushforward.metrics.pixels import mean_squared_error
from pushforward.models import DECODED_AT_ONCE, Model
from pushforward.objectives.elbo import importance_weighted_bound
from pushforward.training.randomness import aside


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
    """What was measured on n images. detail: figures per latent dimension or per image."""

    n: int
    metrics: tuple[Metric, ...]
    skipped: tuple[Skipped, ...]
    detail: Mapping[str, list[float]] = field(default_factory=dict)

    def find(self, name: str) -> Metric | None:
        """The metric of that name, if it was measured."""
        return next((m for m in self.metrics if m.name == name), None)


@dataclass
class Outcome:
    """What one measure came to."""

    metrics: list[Metric] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    detail: dict[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Measure:
    """names: the metrics it yields. needs: abilities of the algorithm. least: images that it needs."""

    names: tuple[str, ...]
    needs: tuple[str, ...]
    run: Callable[[Model, Tensor, int, int], Outcome]
    least: int = 1


def evaluate(model: Model, images: UInt8[Tensor, "n c h w"], *, k: int = 100, seed: int = 0) -> Evaluation:
    """Measure everything that the model can be measured by on these images.

    k: importance samples an image. The same seed gives the same figures. Raises UserError for images
    of another shape than the model's, for none, or for k < 1.
    """
    if k < 1:
        raise UserError(f"k: {k}; expected at least 1 importance sample")
    if len(images) < 1 or tuple(images.shape[1:]) != model.shape:
        raise UserError(f"images: shape {tuple(images.shape)}; expected (n >= 1, {str(model.shape)[1:-1]})")
    total = Outcome()
    for measure in MEASURES:
        reason = _obstacle(measure, model, len(images))
        if reason:
            total.skipped += [Skipped(name, reason) for name in measure.names]
            continue
        with aside(seed), torch.no_grad():
            outcome = measure.run(model, images, k, seed)
        total.metrics += outcome.metrics
        total.skipped += outcome.skipped
        total.detail |= outcome.detail
    return Evaluation(len(images), tuple(total.metrics), tuple(total.skipped), total.detail)


def _obstacle(measure: Measure, model: Model, n: int) -> str:
    lacking = [a for a in reversed(measure.needs) if not hasattr(model.algorithm, a)]
    if lacking:
        return f"the method '{model.about['method']}' has {LACKS.get(lacking[0], f'no {lacking[0]}')}"
    if n < measure.least:
        return f"needs at least {measure.least} images"
    return ""


def _bounds(model: Model, images: Tensor, k: int, seed: int) -> Outcome:
    """ELBO and importance-weighted bound from the same k draws, so that one never exceeds the other."""
    algorithm: Any = model.algorithm
    elbos, bounds = [], []
    for x in _chunks(model, images, k):
        x = algorithm.likelihood.prepare(x)
        log_weights = _log_weights(algorithm, x, k)
        elbos.append(log_weights.mean(0))
        bounds.append(importance_weighted_bound(log_weights))
    outcome = Outcome([_mean("elbo", torch.cat(elbos), "nats/image", higher_is_better=True)])
    names = (f"iwae-{k}", "bits/dimension")
    if getattr(algorithm.likelihood, "binarization", "") == "none" and _grey(images):
        reason = "cross-entropy on grey pixels is no likelihood; train with --binarization dynamic"
        outcome.skipped += [Skipped(name, reason) for name in names]
        return outcome
    bound = mean_interval(torch.cat(bounds))
    dimensions = math.prod(model.shape)
    bits = Estimate(
        bits_per_dimension(bound.value, dimensions, algorithm.likelihood.bin_width),
        bound.ci95 / dimensions / math.log(2),
    )
    outcome.metrics.append(_metric(names[0], bound, "nats/image", higher_is_better=True))
    outcome.metrics.append(_metric(names[1], bits, "bits", higher_is_better=False))
    return outcome


def _latents(model: Model, images: Tensor, k: int, seed: int) -> Outcome:
    mu, kl = divergence(model, images, seed=seed)
    active = active_units(mu)
    d = mu.shape[1]
    return Outcome(
        [
            _mean("kl", kl.sum(1), "nats/image"),
            Metric(name="active_units", value=float(active.sum()), unit=f"of {d} dimensions"),
        ],
        detail={
            "kl_per_dimension": kl.double().mean(0).tolist(),
            "variance_of_mean_per_dimension": mu.double().var(dim=0).tolist(),
        },
    )


def _reconstruction(model: Model, images: Tensor, k: int, seed: int) -> Outcome:
    algorithm: Any = model.algorithm
    errors = torch.cat(
        [mean_squared_error(x, algorithm.reconstruct(x)).cpu() for x in _chunks(model, images, 1)]
    )
    metric = _mean("reconstruction_error", errors, "MSE on [0, 1]", higher_is_better=False, floor=0.0)
    return Outcome([metric], detail={"reconstruction_error_per_image": errors.tolist()})


MEASURES: Sequence[Measure] = (
    Measure(("elbo", "iwae-k", "bits/dimension"), ("likelihood", "log_weights"), _bounds),
    Measure(("kl", "active_units"), ("likelihood", "divergence"), _latents, least=2),
    Measure(("reconstruction_error",), ("reconstruct",), _reconstruction),
)


# What it means to lack an ability.
LACKS = {
    "likelihood": "no likelihood",
    "log_weights": "no bound on ln p(x)",
    "divergence": "no distribution of codes",
    "reconstruct": "no encoder to reconstruct with",
}


def active(evaluation: Evaluation) -> list[bool]:
    """Which latent dimensions move with the image; empty where there are none to speak of."""
    return [v > ACTIVE_VARIANCE for v in evaluation.detail.get("variance_of_mean_per_dimension", [])]


def _chunks(model: Model, images: Tensor, k: int) -> Iterator[Float[Tensor, "b c h w"]]:
    size = max(1, DECODED_AT_ONCE // (k * math.prod(model.shape)))
    for chunk in images.split(min(size, 500)):
        yield to_float(chunk.to(model.device))


def _log_weights(algorithm: Any, x: Tensor, k: int) -> Float[Tensor, "k b"]:
    """The k draws of a chunk, in parts where k images alone would fill the memory."""
    part = max(1, DECODED_AT_ONCE // x.numel())
    return torch.cat([algorithm.log_weights(x, min(part, k - i)).cpu() for i in range(0, k, part)]).double()


def _grey(images: Tensor) -> bool:
    return bool(((images > 0) & (images < 255)).any())


def _mean(
    name: str,
    values: Tensor,
    unit: str,
    *,
    higher_is_better: bool | None = None,
    floor: float | None = None,
) -> Metric:
    return _metric(name, mean_interval(values), unit, higher_is_better=higher_is_better, floor=floor)


def _metric(
    name: str,
    estimate: Estimate,
    unit: str,
    *,
    higher_is_better: bool | None = None,
    floor: float | None = None,
) -> Metric:
    ci95 = None if math.isnan(estimate.ci95) else estimate.ci95
    return Metric(
        name=name, value=estimate.value, ci95=ci95, floor=floor, unit=unit, higher_is_better=higher_is_better
    )
