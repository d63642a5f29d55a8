"""ln p(x) of a model that has a density, such as a flow: what it gives, and what the data's own would."""

from __future__ import annotations

import torch
from torch import Tensor

from pushforward.abilities import HasBound, offers
from pushforward.core import to_float
from pushforward.data.modes import Modes
from pushforward.distributions import LEVEL_WIDTH, dequantize
from pushforward.evaluation.likelihood import bits
from pushforward.evaluation.outcome import Effort, Outcome, Skipped, mean_metric
from pushforward.metrics.modes import mixture_log_prob
from pushforward.models.model import Model

NAMES = ("ln p(x)", "bits/dimension")
POINTS, IMAGES = 2000, 100  # looked at: each costs a path through the model, back to its noise


def density(model: Model, images: Tensor, effort: Effort) -> Outcome:
    """The mean of ln p(x); nothing for a model with a bound, of which `likelihood` tells more.

    Of images with uniform noise over each level, so that it bounds the probability of the eight-bit image.
    """
    if offers(model.algorithm, HasBound):
        return Outcome()
    plain = len(model.shape) == 1
    chosen = images[torch.randperm(len(images))[: POINTS if plain else IMAGES]]
    x = chosen if plain else dequantize(to_float(chosen))
    values = model.log_prob(x, seed=effort.seed)
    floor = _of_the_data(x, effort.modes)
    outcome = Outcome([mean_metric(NAMES[0], values, "nats/image", higher_is_better=True, floor=floor)])
    if plain:
        outcome.skipped.append(Skipped(NAMES[1], "points have no levels to be counted in bits"))
    else:
        outcome.metrics.append(bits(values, model, LEVEL_WIDTH))
    if len(chosen) < len(images):
        outcome.notes.append(f"ln p(x) is costly, so on {len(chosen):,} of the {len(images):,} images")
    return outcome


def _of_the_data(x: Tensor, modes: Modes | None) -> float | None:
    """The mean of the mixture's own ln p of the same points, where it is known and has a density."""
    if modes is None or modes.noisy < x.shape[1]:
        return None
    return mixture_log_prob(x, torch.from_numpy(modes.centres), sigma=modes.sigma).mean().item()
