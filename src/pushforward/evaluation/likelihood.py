"""The bounds on ln p(x) of a model, how far their draws can be trusted, and what that is in bits."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from pushforward.abilities import HasBound
from pushforward.data import Dataset
from pushforward.data.kinds import Kind
from pushforward.distributions.likelihood import counting_levels
from pushforward.evaluation.outcome import Effort, Metric, Outcome, Skipped, chunks, mean_metric
from pushforward.metrics.likelihood import bits_per_dimension
from pushforward.models.by_class import given_classes
from pushforward.models.marginal import in_parts, joined, marginal_likelihood, mean_standard_error
from pushforward.models.model import Model
from pushforward.models.sampling import DECODED_AT_ONCE
from pushforward.objectives.bounds import LikelihoodEstimate, summarize_weights

BY_CLASS = " by class"  # ends the unit of what is of ln p(x|y)
ELBO_DRAWS = 100  # an image, where ln p(x) is estimated by other means
FEW_DRAWS = 2


def bounds(model: Model, data: Dataset, effort: Effort) -> Outcome:
    """ELBO and ln p(x); with "iwae" from the same draws, so that one never exceeds the other."""
    counted = len(model.shape) == 3
    elbos, estimates, masses, done = [], [], [], 0
    for x in chunks(model, data.x, effort.decodings):
        algorithm = _bounded(model, data, slice(done, done + len(x)))
        likelihood, done = algorithm.likelihood, done + len(x)
        x = likelihood.prepare(x)
        log_weights, estimate = _estimated(algorithm, x, effort)
        elbos.append(log_weights.mean(0).cpu())
        estimates.append(estimate)
        if counted and likelihood.bin_width != 1:
            with counting_levels(likelihood):
                estimate = _estimated(algorithm, x, effort)[1]
        masses.append(estimate)
    outcome = Outcome([mean_metric("elbo", torch.cat(elbos), model.kind.per("nats"), higher_is_better=True)])
    names = (effort.name, "bits/dimension", "effective_draws", "monte_carlo_error")
    if getattr(likelihood, "binarization", "") == "none" and _grey(data.x):
        reason = "cross-entropy on grey pixels is no likelihood; train with `binarization` dynamic"
        outcome.skipped += [Skipped(name, reason) for name in names]
        return _of_what(outcome, model, effort)
    _tell(outcome, joined(estimates), effort, model.kind)
    if counted:
        outcome.metrics.insert(2, bits(joined(masses).value, model))
    else:
        outcome.skipped.append(Skipped("bits/dimension", "points have no levels to be counted in bits"))
    return _of_what(outcome, model, effort)


def _of_what(outcome: Outcome, model: Model, effort: Effort) -> Outcome:
    """The same; of a conditional model its figures say that they are of ln p(x|y), wherever they stand."""
    if not model.can(HasBound):
        of_class = ("elbo", effort.name, "bits/dimension")
        outcome.metrics = [
            replace(m, unit=f"{m.unit}{BY_CLASS}") if m.name in of_class else m for m in outcome.metrics
        ]
        outcome.notes.append(f"by class: of ln p(x|y), given the true class of each {model.kind.name}")
    return outcome


def _bounded(model: Model, data: Dataset, rows: slice) -> HasBound:
    """What has the bound on these rows: the model, or a conditional one with their classes."""
    return model.ability(HasBound) if model.can(HasBound) else given_classes(model, data, rows)


def _estimated(algorithm: HasBound, x: Tensor, effort: Effort) -> tuple[Tensor, LikelihoodEstimate]:
    """Log-weights (k, b) for the ELBO, and the estimate of ln p(x), or of ln P(x) of levels."""
    at_once = max(1, DECODED_AT_ONCE // x[0].numel())
    part = max(1, at_once // len(x))
    if effort.likelihood == "iwae":
        log_weights = in_parts(algorithm.log_weights, x, effort.k, part)
        return log_weights, joined([summarize_weights(log_weights)])
    log_weights = in_parts(algorithm.log_weights, x, min(effort.k, ELBO_DRAWS), part)
    return log_weights, marginal_likelihood(
        algorithm,
        x,
        effort.likelihood,
        k=effort.k,
        annealing=effort.annealing,
        decoded_at_once=at_once,
    )


def bits(log_prob: Tensor, model: Model, bin_width: float = 1.0) -> Metric:
    """What ln P of each image, in nats, is in bits per dimension; of a density, with the levels' width."""
    values = bits_per_dimension(log_prob, math.prod(model.shape), bin_width)
    return mean_metric("bits/dimension", values, "bits", higher_is_better=False)


def _tell(outcome: Outcome, estimate: LikelihoodEstimate, effort: Effort, kind: Kind) -> None:
    """ln p(x), and how far the draws can be trusted."""
    of = f"of {effort.draws:,} {'chains' if effort.likelihood == 'ais' else 'draws'}"
    outcome.metrics += [
        mean_metric(effort.name, estimate.value, kind.per("nats"), higher_is_better=True),
        mean_metric("effective_draws", estimate.ess, of, higher_is_better=True),
    ]
    error = mean_standard_error(estimate)
    if math.isnan(error):
        outcome.skipped.append(Skipped("monte_carlo_error", f"needs at least 2 draws {kind.one}"))
        return
    outcome.metrics.append(
        Metric(name="monte_carlo_error", value=error, unit=kind.per("nats"), higher_is_better=False)
    )
    alone = (estimate.ess < FEW_DRAWS).double().mean().item()
    if alone > 0.5:
        cure = {
            "iwae": "take more `k`, or `likelihood` ais",
            "prior": "take `likelihood` iwae or ais",
            "ais": "take more `temperatures`",
        }[effort.likelihood]
        outcome.notes.append(
            f"on {alone:.0%} of the {kind.many} fewer than {FEW_DRAWS} {of} carry the estimate, so ln p(x) "
            f"is higher than {effort.name} by more than its errors say: {cure}"
        )


def _grey(images: Tensor) -> bool:
    return bool(((images > 0) & (images < 255)).any())
