"""Measure a trained model on images or points: what its abilities allow, and what was skipped and why.

A measure names the abilities of an algorithm that it needs. So a new metric is one entry of `MEASURES`,
and a new method is measured by whatever it can do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from pushforward.abilities import (
    ABILITIES,
    Decodes,
    Encodes,
    HasBound,
    HasBoundByClass,
    HasGaussianPosterior,
    HasLogProb,
    HasPosterior,
    HasPrior,
    Reconstructs,
    Samples,
    Tokenizes,
)
from pushforward.data import Dataset
from pushforward.data.kinds import size_of
from pushforward.diagnostics.latent_information import latent_information
from pushforward.diagnostics.posterior_collapse import ACTIVE_VARIANCE, active_units
from pushforward.errors import UserError
from pushforward.evaluation import density, images, points, stacked
from pushforward.evaluation.likelihood import bounds
from pushforward.evaluation.outcome import (
    SAMPLES,
    Effort,
    Evaluation,
    Metric,
    Outcome,
    Skipped,
    chunks,
    mean_metric,
)
from pushforward.metrics.pixels import mean_squared_distance, mean_squared_error
from pushforward.models.by_class import why_not_by_class
from pushforward.models.latents import divergence, posterior
from pushforward.models.marginal import DRAWS, Rung, check_rung
from pushforward.models.model import Model
from pushforward.objectives.annealing import Annealing
from pushforward.objectives.quantization import perplexity
from pushforward.randomness import aside

__all__ = ["Evaluation", "Metric", "Skipped", "active", "evaluate"]

LEAST_SAMPLES = 20
INFORMED_BY = 1000  # images, whose square the cost of I(x; z) grows with


def evaluate(
    model: Model,
    data: Dataset,
    *,
    reference: Dataset | None = None,
    train: Dataset | None = None,
    samples: int = SAMPLES,
    features: str | None = None,
    k: int | None = None,
    seed: int = 0,
    likelihood: Rung = "iwae",
    annealing: Annealing | None = None,
    cheap_only: bool = False,
) -> Evaluation:
    """Measure everything that the model can be measured by on these images or points.

    reference: what samples are compared with; by default the data themselves. Its modes are counted where
    they are known, as they are of a named mixture and of stacked-mnist, which takes a minute. train: what the
    model learned from: floors and copies are told from it. samples: images to draw, at most as many as there
    are of `train`. features: what distances between images are taken on, see `features.find_extractor`; by
    default the first judge that the model was not trained with. likelihood: how
    ln p(x) is estimated, "iwae", "ais" or "prior"; see `Model.likelihood`. k: draws an image, 100 or for
    "prior" 10,000 by default. annealing: of "ais". cheap_only: leave out what takes minutes. The same seed
    gives the same figures. Raises UserError for data or a reference of another shape than the model's, for
    none, for k < 1, or for "ais" with codes that are not Gaussian.
    """
    reference = data if reference is None else reference
    k = DRAWS.get(likelihood, 100) if k is None else k
    if k < 1:
        raise UserError(f"k: {k}; expected at least 1 importance sample")
    _check(model, samples, data=data, reference=reference, train=train)
    check_rung(model.algorithm, likelihood)
    effort = Effort(
        likelihood=likelihood,
        k=k,
        annealing=annealing or Annealing(),
        seed=seed,
        reference=reference,
        train=train,
        samples=samples,
        features=features,
    )
    total = Outcome()
    for measure in MEASURES:
        if measure.of not in ("any", model.kind.name, reference.scan.source):
            continue
        if not _wanted(measure, model) or (measure.cost == "costly" and cheap_only):
            continue
        reason = _obstacle(measure, model, data)
        if reason:
            total.skipped += [Skipped(name, reason) for name in measure.names]
            continue
        with aside(seed), torch.no_grad():
            outcome = measure.run(model, data, effort)
        total.metrics += outcome.metrics
        total.skipped += outcome.skipped
        total.detail |= outcome.detail
        total.notes += outcome.notes
    measured = {m.name for m in total.metrics}  # the bits of a bound are skipped, those of a density are not
    skipped = tuple(s for s in total.skipped if s.name not in measured)
    return Evaluation(len(data), tuple(total.metrics), skipped, total.detail, tuple(total.notes))


def _check(model: Model, samples: int, **sets: Dataset | None) -> None:
    """Raise UserError for too few samples, or data that are not the model's."""
    if samples < LEAST_SAMPLES:
        raise UserError(f"`samples`: {samples}; expected at least {LEAST_SAMPLES}, to measure a distance by")
    for name, given in sets.items():
        if given is None:
            continue
        if given.shape != model.shape:
            raise UserError(
                f"`{name}`: {size_of(given.shape)}, but the model takes {size_of(model.shape)}; give those"
            )
        if not len(given):
            raise UserError(f"`{name}`: no {model.kind.many}; expected at least one")


def _wanted(measure: Measure, model: Model) -> bool:
    """Whether to speak of it at all: a second way to the same figure is no gap where it is missing."""
    if measure.unless is None:
        return True
    return not model.can(measure.unless) and all(map(model.can, measure.needs))


def _obstacle(measure: Measure, model: Model, data: Dataset) -> str:
    lacking = [ability for ability in measure.needs if not model.can(ability)]
    by_class = measure.by_class is not None and model.can(measure.by_class)
    if lacking and by_class and (reason := why_not_by_class(model, data)):
        return reason
    if lacking and not by_class:
        return f"the method '{model.about['method']}' has {ABILITIES[lacking[0]].lacks}"
    if len(data) < measure.least:
        return f"needs at least {measure.least} {model.kind.many}"
    return ""


def _latents(model: Model, data: Dataset, effort: Effort) -> Outcome:
    mu, kl = divergence(model, data.x, seed=effort.seed)
    active = active_units(mu)
    d = mu.shape[1]
    return Outcome(
        [
            mean_metric("kl", kl.sum(1), model.kind.per("nats")),
            Metric(name="active_units", value=float(active.sum()), unit=f"of {d} dimensions"),
        ],
        detail={
            "kl_per_dimension": kl.double().mean(0).tolist(),
            "variance_of_mean_per_dimension": mu.double().var(dim=0).tolist(),
        },
    )


def _information(model: Model, data: Dataset, effort: Effort) -> Outcome:
    """What z says of the image, and the rest of the KL: how far the aggregate of codes is from the prior."""
    chosen = data.x[torch.randperm(len(data))[:INFORMED_BY]]
    told = latent_information(*posterior(model, chosen, seed=effort.seed))
    ci95 = 1.96 * told.standard_error
    outcome = Outcome(
        detail={
            "information_per_dimension": told.dimension_information.tolist(),
            "information_ceiling": [told.ceiling],
            "information_images": [told.n],
        }
    )
    unit = "nats, at least" if told.saturated else model.kind.per("nats")
    shown = None if told.saturated else ci95  # of a value near its ceiling the spread says nothing
    outcome.metrics += [
        Metric(name="information", value=told.information, ci95=shown, unit=unit),
        Metric(name="information_upper", value=told.upper, unit="nats, at most"),
        Metric(
            name="aggregate_gap",
            value=told.marginal_kl,
            ci95=shown,
            floor=0.0,
            unit="nats, at most" if told.saturated else "nats",
        ),
    ]
    if told.saturated:
        outcome.notes.append(
            f"{model.kind.count(told.n)} tell at most {told.ceiling:.2f} nats, and information is near: it "
            f"lies between {told.information:.2f} and {told.upper:.2f} nats, and aggregate_gap between "
            f"{told.least_marginal_kl:.2f} and {told.marginal_kl:.2f}; more {model.kind.many} tell more"
        )
    return outcome


def _reconstruction(model: Model, data: Dataset, effort: Effort) -> Outcome:
    algorithm = model.ability(Reconstructs)
    plain = len(model.shape) == 1
    error = mean_squared_distance if plain else mean_squared_error
    errors = torch.cat([error(x, algorithm.reconstruct(x)).cpu() for x in chunks(model, data.x, 1)])
    unit = model.kind.squared_error
    metric = mean_metric("reconstruction_error", errors, unit, higher_is_better=False, floor=0.0)
    return Outcome([metric], detail={"reconstruction_error_per_image": errors.tolist()})


def _code_use(model: Model, data: Dataset, effort: Effort) -> Outcome:
    """How evenly all integers of all codes use the codebook, as exp of their entropy."""
    algorithm = model.ability(Tokenizes)
    k = algorithm.vocabulary
    counts = torch.zeros(k)
    for x in chunks(model, data.x, 1):
        counts += torch.bincount(algorithm.tokens(x).cpu().flatten(), minlength=k)
    use = Metric(name="code_perplexity", value=float(perplexity(counts)), unit=f"of {k} codes")
    return Outcome([use], detail={"code_counts": counts.tolist()})


@dataclass(frozen=True)
class Measure:
    """names: the metrics it yields. needs: abilities of the model. least: images that it needs.

    unless: an ability with which another measure says more. by_class: one that does in place of needs, on
    data with the classes that the model is told. of: what it measures: models of images, of points, of one
    named set, or of any data. cost: a "costly" one takes minutes, so the report does not run
    it; it shows what `evaluate` kept.
    """

    names: tuple[str, ...]
    needs: tuple[type, ...]
    run: Callable[[Model, Dataset, Effort], Outcome]
    least: int = 1
    unless: type | None = None
    by_class: type | None = None
    of: Literal["any", "image", "point", "stacked-mnist"] = "any"
    cost: Literal["cheap", "costly"] = "cheap"


MEASURES: Sequence[Measure] = (
    Measure(
        ("elbo", "ln p(x)", "bits/dimension", "effective_draws", "monte_carlo_error"),
        (HasBound,),
        bounds,
        by_class=HasBoundByClass,
    ),
    Measure(("log_prob",), (HasLogProb,), density.of_points, unless=HasBound, of="point"),
    Measure(
        ("log_prob", "bits/dimension"),
        (HasLogProb,),
        density.of_images,
        unless=HasBound,
        of="image",
        cost="costly",
    ),
    Measure(("kl", "active_units"), (HasPosterior,), _latents, least=2),
    Measure(
        ("information", "information_upper", "aggregate_gap"), (HasGaussianPosterior,), _information, least=2
    ),
    Measure(("reconstruction_error",), (Reconstructs,), _reconstruction),
    Measure(("code_perplexity",), (Tokenizes,), _code_use, unless=Encodes),
    Measure(points.MODES, (Samples,), points.modes, of="point"),
    Measure(stacked.MODES, (Samples,), stacked.modes, of=stacked.STACKED, cost="costly"),
    Measure(("sliced_wasserstein",), (Samples,), points.distance, least=2, of="point"),
    Measure(("sharpness",), (Samples,), images.edges, of="image"),
    Measure(images.LEAK, (Samples,), images.leak, of="image", cost="costly"),
    Measure(images.DISTANCES, (Samples,), images.distances, of="image", cost="costly"),
    Measure(images.CLASSES, (Samples,), images.classes, of="image", cost="costly"),
    Measure(("inversion_error",), (Decodes, HasPrior), images.inversion, of="image", cost="costly"),
    Measure(images.TRANSPORT, (Samples,), images.transport, of="image", cost="costly"),
)


def active(evaluation: Evaluation) -> list[bool]:
    """Which latent dimensions move with the image; empty where there are none to speak of."""
    return [v > ACTIVE_VARIANCE for v in evaluation.detail.get("variance_of_mean_per_dimension", [])]
