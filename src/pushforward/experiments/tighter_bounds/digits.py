"""Train a method on binarized digits, keep its best weights, and bound ln p(x) of held-out ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from pushforward.algorithms.latent import LatentVariableModel
from pushforward.core import to_float
from pushforward.data import Dataset, Stream, load_splits
from pushforward.data.dataset import split_validation
from pushforward.methods import recipe_class
from pushforward.models.model import Model
from pushforward.objectives.bounds import LikelihoodEstimate
from pushforward.randomness import aside
from pushforward.training.fit import fitting

NETWORK: Mapping[str, Any] = {
    "likelihood": "bernoulli",
    "network": "mlp",
    "hidden": (200, 200),
    "latent_dim": 50,
    "lr": 1e-3,
    "lr_schedule": "cosine",
}
BATCH = 20
LOOKS, LOOKED_AT = 20, 50  # at the validation images, while training; draws an image in each
HELD_BACK = 0.05  # of the training images, to choose weights by


def splits(source: str) -> tuple[Dataset, Dataset, Dataset]:
    """Training, validation and held-out images, grey."""
    found = load_splits(source, channels=1)
    train, validation = split_validation(found.train, HELD_BACK)
    return train, validation or found.test, found.test


def binary(images: Dataset, seed: int = 0) -> Tensor:
    """Each pixel drawn once, with its intensity as probability: the same for all that are measured."""
    thresholds = torch.rand(images.x.shape, generator=torch.Generator().manual_seed(seed))
    return to_float((images.x / 255 > thresholds).to(torch.uint8) * 255)


def build(method: str, options: Mapping[str, Any], shape: tuple[int, ...]) -> LatentVariableModel:
    """A freshly initialised model of the experiment's networks."""
    algorithm: LatentVariableModel = recipe_class(method)(**NETWORK, **options).build(shape)
    return algorithm


def trained(
    algorithm: LatentVariableModel, train: Dataset, validation: Dataset, *, steps: int, seed: int
) -> int:
    """Train, and leave it with its best weights by a bound of 50 draws; the step that these are of."""
    x = binary(validation)
    best, at, weights = -math.inf, 0, {}
    stream = Stream({"data": train}, batch_size=BATCH, seed=seed)
    every = max(1, steps // LOOKS)
    for step, _ in enumerate(fitting(algorithm, stream, steps), start=1):
        if step % every and step < steps:
            continue
        value = float(bound(algorithm, x, draws=LOOKED_AT).value.mean())
        if value > best:
            best, at = value, step
            weights = {name: t.clone() for name, t in algorithm.state_dict().items()}
    algorithm.load_state_dict(weights)
    return at


def bound(algorithm: LatentVariableModel, x: Tensor, *, draws: int) -> LikelihoodEstimate:
    """The bound of so many draws on ln p(x) of each image, always from the same noise."""
    was = algorithm.training
    algorithm.eval()
    found = Model(algorithm, {"method": "", "shape": tuple(x.shape[1:])}).likelihood(x, k=draws)
    algorithm.train(was)
    return found


@torch.no_grad()
def elbo(algorithm: LatentVariableModel, x: Tensor) -> Tensor:
    """The ELBO of each image, from 50 draws."""
    with aside(0):
        parts = [
            algorithm.log_weights(algorithm.likelihood.prepare(part), LOOKED_AT).mean(0)
            for part in x.split(LOOKED_AT)
        ]
    return torch.cat(parts)
