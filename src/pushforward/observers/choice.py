"""Which observers a run with a generator and a critic gets."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from pushforward.abilities import (
    Adversarial,
    Game,
    HasBound,
    HasBoundByClass,
    HasDistortion,
    HasPosterior,
    offers,
)
from pushforward.config import RunConfig
from pushforward.core import Algorithm, Observer, to_float
from pushforward.data import Dataset
from pushforward.diagnostics.cures import adversarial_cures
from pushforward.diagnostics.exam import shuffled
from pushforward.observers.animation import GridAnimation, LandscapeAnimation
from pushforward.observers.health import AdversarialHealth
from pushforward.observers.validation import DistortionValidation, HeldOut, Validation

LOOKS = 20  # at the model's health, in a run
FRAMES = 24  # of an animation, in a run
MEASURED = 1000  # rows that the data's scale is taken from


def adversarial_observers(
    algorithm: Algorithm,
    data: Mapping[str, Dataset],
    config: RunConfig,
    *,
    steps: int,
    weighted: bool = False,
) -> list[Observer]:
    """None for other algorithms. To be called after the observers that draw samples.

    data: by stream. weighted: whether rows are drawn by weight, as for a component of an ensemble. It is
    then meant to leave modes out, so its health is not judged. Without pictures (`sample_every` 0) there is
    no animation either. Points have one in the plane only.
    """
    if not offers(algorithm, Adversarial):
        return []
    every, games = config.train.sample_every, algorithm.games()
    observers: list[Observer] = [] if weighted else _health(games, data, config, steps)
    if every == 0:
        return observers
    often = -(-steps // FRAMES) if every is None else every  # rounded up, or the last two would be alike
    for name, game in games.items():
        if data[game.stream].shape == (2,):
            observers.append(LandscapeAnimation(data, every=often, game=name))
    if len(next(iter(data.values())).shape) == 3:
        observers.append(GridAnimation())
    return observers


def _health(
    games: Mapping[str, Game], data: Mapping[str, Dataset], config: RunConfig, steps: int
) -> list[Observer]:
    return [
        AdversarialHealth(
            data,
            every=max(1, steps // LOOKS),
            batch_size=config.train.batch_size,
            game=name,
            cures=adversarial_cures(config, scale=_scale(data[game.stream])),
            options=vars(config.options).keys(),
        )
        for name, game in games.items()
    ]


def _scale(data: Dataset) -> float:
    """Standard deviation over all coordinates."""
    rows = data.x[shuffled(len(data), seed=0)[:MEASURED]]
    return float(torch.std(to_float(rows).double(), correction=0))


def validation_for(algorithm: Algorithm) -> type[HeldOut] | None:
    """The observer of held-out data that an algorithm offers enough for; None where it has no likelihood."""
    bounded = offers(algorithm, HasBound) and offers(algorithm, HasPosterior)
    if bounded or offers(algorithm, HasBoundByClass):
        return Validation
    return DistortionValidation if offers(algorithm, HasDistortion) else None
