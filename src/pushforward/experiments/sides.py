"""A model of images from all sides, in a cell: distances, sharpness, copies, inversion, likelihood."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pushforward.abilities import HasBound, HasPrior
from pushforward.core import to_float, to_uint8
from pushforward.data import Dataset, load_splits
from pushforward.evaluation.images import BLUR, ITERATIONS
from pushforward.experiments.harness.experiment import Cell
from pushforward.experiments.images import Training, parameters
from pushforward.features import cached_features, find_extractor
from pushforward.metrics.images import sharpness
from pushforward.metrics.table import MEASURES, Sets
from pushforward.models.inversion import invert
from pushforward.models.model import Model
from pushforward.objectives.divergences import sinkhorn_divergence

# The figures here, by the names of `MEASURES`.
TAKEN = {
    "mind": "MIND",
    "p_precision": "P-precision",
    "p_recall": "P-recall",
    "coverage": "coverage",
    "fld_gap": "FLD gap",
    "closer_to_train": "closer to train",
}
TRANSPORTED = 400  # rows
KNOWN = 2000  # training images that samples are held against
DRAWS = 16  # an image, of the bound


def measured(cell: Cell, *, batch: int, drawn: int, inverted: int, bounded: int) -> dict[str, float]:
    """All figures of one cell. options: data, side (pixels), n (0 for all), and of a model method, options
    and steps.

    drawn: samples, fewer where there are fewer held-out images.
    """
    asked = cell.options
    splits = load_splits(asked["data"], image_size=asked["side"], channels=1)
    order = torch.randperm(len(splits.train), generator=torch.Generator().manual_seed(cell.seed))
    aside = min(drawn, len(order) // 5)  # real images that no run learns from
    train = splits.train.subset(order[:-aside][: asked["n"] or None])
    drawn = min(drawn, len(splits.test))
    held_out = splits.test.subset(torch.randperm(len(splits.test), generator=_zero())[:drawn])
    if "method" not in asked:
        return _of_samples(splits.train.subset(order[-aside:]).x, held_out, train)
    training = Training(
        method=asked["method"],
        data=train,
        steps=asked["steps"],
        seed=cell.seed,
        options=asked["options"],
        batch_size=min(batch, len(train)),
    )
    model = training.trained()
    made = to_uint8(_sampler(model, train)(drawn, cell.seed))
    figures = {"parameters": parameters(model) / 1000, "seconds": training.seconds}
    return figures | _of_samples(made, held_out, train) | _of_model(model, held_out, inverted, bounded, cell)


def _zero() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _sampler(model: Model, train: Dataset) -> Callable[[int, int], Tensor]:
    """Of the prior; of a model without one, of a mixture that is fitted to the codes of training images."""
    if model.can(HasPrior):
        return lambda n, seed: model.sample(n, seed=seed)
    mixture = model.aggregate(train.x[:10_000], components=min(10, len(train) // 2))
    return lambda n, seed: model.sample_aggregate(n, mixture, seed=seed)


def _of_samples(made: Tensor, held_out: Dataset, train: Dataset) -> dict[str, float]:
    extractor = find_extractor("efficientnet-lite0", held_out.shape)
    known = train.subset(torch.randperm(len(train), generator=_zero())[:KNOWN])
    sets = Sets(extractor(made), cached_features(extractor, held_out), cached_features(extractor, known))
    figures: dict[str, float] = {}
    for measure in MEASURES:
        if set(measure.names) & set(TAKEN):
            figures |= {TAKEN[f.name]: f.value for f in measure.run(sets) if f.name in TAKEN}
    edges = [sharpness(to_float(x)).mean().item() for x in (made, held_out.x)]
    figures["sharpness"] = edges[0] / edges[1]
    figures["Sinkhorn"] = _transport(made, held_out.x)
    return figures


def _transport(made: Tensor, real: Tensor) -> float:
    """Between the first rows; the entropy of the plan weighs a share of the real images' median distance."""
    x, y = (to_float(side[:TRANSPORTED]).flatten(1).double() for side in (made, real))

    def cost(a: Tensor, b: Tensor) -> Tensor:
        return torch.cdist(a, b).square()

    epsilon = BLUR * cost(y, y).median().item()
    return sinkhorn_divergence(x, y, epsilon=epsilon, cost=cost, iterations=ITERATIONS, tolerance=1e-3).item()


def _of_model(model: Model, held_out: Dataset, inverted: int, bounded: int, cell: Cell) -> dict[str, float]:
    """Inversion, as a share of the variance of pixels, and a bound where there is one."""
    x = held_out.x[:inverted]
    figures: dict[str, float] = {}
    if model.can(HasPrior):
        error = invert(model, x, starts=2, steps=100, seed=cell.seed).error.mean().item()
        figures["inversion error"] = error / (to_float(x) / 2).var(0).mean().item()
    if model.can(HasBound):
        figures["ln p(x)"] = model.log_prob(held_out.x[:bounded], k=DRAWS, seed=cell.seed).mean().item()
    return figures
