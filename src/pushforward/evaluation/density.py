"""ln p(x) of a model that has a density, such as a flow, beside that of the data where it is known."""

from __future__ import annotations

import torch
from torch import Tensor

from pushforward.core import to_float
from pushforward.data import Dataset
from pushforward.data.modes import Modes
from pushforward.distributions import LEVEL_WIDTH, dequantize
from pushforward.evaluation.likelihood import bits
from pushforward.evaluation.outcome import Effort, Outcome, mean_metric
from pushforward.metrics.modes import mixture_log_prob
from pushforward.models.model import Model

POINTS, IMAGES = 2000, 100  # looked at: each costs a path through the model, back to its noise


def of_points(model: Model, data: Dataset, effort: Effort) -> Outcome:
    """The mean of ln p(x), and of the mixture's own ln p of the same points."""
    return _density(model, _some(data.x, POINTS), data, effort)


def of_images(model: Model, data: Dataset, effort: Effort) -> Outcome:
    """The mean of ln p(x + noise over each pixel's level), which bounds ln P of the eight-bit image."""
    return _density(model, dequantize(to_float(_some(data.x, IMAGES))), data, effort)


def _density(model: Model, x: Tensor, data: Dataset, effort: Effort) -> Outcome:
    values, kind = model.log_prob(x, seed=effort.seed), model.kind
    floor = _of_the_data(x, data.modes)
    outcome = Outcome([mean_metric("log_prob", values, kind.per("nats"), higher_is_better=True, floor=floor)])
    if kind.name == "image":
        outcome.metrics.append(bits(values, model, LEVEL_WIDTH))
    if len(x) < len(data):
        outcome.notes.append(f"log_prob is costly, so it is of {len(x):,} of the {kind.count(len(data))}")
    return outcome


def _some(x: Tensor, n: int) -> Tensor:
    return x[torch.randperm(len(x))[:n]]


def _of_the_data(x: Tensor, modes: Modes | None) -> float | None:
    """The mean of the mixture's own ln p, where it is known and has a density."""
    if modes is None or modes.noisy < x.shape[1]:
        return None
    return mixture_log_prob(x, torch.from_numpy(modes.centres), sigma=modes.sigma).mean().item()
