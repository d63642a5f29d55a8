"""One cell of `few-images`: train on few images, and hold samples against images that nobody has seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pushforward.core import to_float, to_uint8
from pushforward.data import Dataset, load_splits
from pushforward.diagnostics.leak import LeakMeter, train_leak_meter
from pushforward.experiments.harness.experiment import Cell
from pushforward.experiments.images import Training
from pushforward.features import cached_features, find_extractor
from pushforward.metrics.frechet import frechet_distance
from pushforward.metrics.kernel import kid
from pushforward.metrics.table import MEASURES, Sets
from pushforward.views.transforms import transforms_of

SIDE = 32  # pixels
DRAWN = 1000  # samples, fewer where there are fewer held-out images
LEARNED = 2000  # images that the leak meter takes: half to learn from, half for the rate of real ones
JUDGE, OTHER = "efficientnet-lite1", "random-conv"
REAL, COPIES = "real images", "copies"
TURNS = ("rotation",)  # what clothes and faces never are
KID, KID_ALIKE, KID_OTHER = "KID", "KID, equal images", "KID, random features"
FRECHET, PRECISION, RECALL = "Fréchet distance", "P-precision", "P-recall"
GAP, LEAK, COST = "FLD gap", "leak", "cost"
TAKEN = {"p_precision": PRECISION, "p_recall": RECALL, "fld_gap": GAP}


@dataclass(frozen=True)
class Images:
    """train: what a run learns from. held_out: what samples are held against. others: nobody learns from."""

    train: Dataset
    held_out: Dataset
    others: Dataset


def images_of(data: str, n: int, seed: int) -> Images:
    """n training images, drawn by the seed; all held-out ones where they are few."""
    splits = load_splits(data, image_size=SIDE)
    order = torch.randperm(len(splits.train), generator=torch.Generator().manual_seed(seed))
    kept = torch.randperm(len(splits.test), generator=torch.Generator().manual_seed(0))[:DRAWN]
    held_out = splits.test.subset(kept)
    return Images(splits.train.subset(order[:n]), held_out, splits.train.subset(order[n:][:LEARNED]))


def measured(cell: Cell) -> dict[str, float]:
    """All figures of one cell. options: data, n, and of a model method, options, steps, alike (the step at
    which all rows have seen as many images), batch, and where it starts from another run: start, the set that
    that one learned from, for as many steps."""
    asked = cell.options
    images = images_of(asked["data"], asked["n"], cell.seed)
    meter = train_leak_meter(images.others, transforms_of(TURNS, images.train.shape), seed=cell.seed)
    drawn = len(images.held_out)
    if "method" not in asked:
        pool = images.others if cell.method == REAL else images.train
        made = pool.x[torch.arange(drawn) % len(pool)]
        figures = _figures(made, images, meter)
        if cell.method == COPIES:
            del figures[GAP]  # infinite: the density of a copy has no width
        return figures
    training = _training(asked, images.train, cell.seed)
    if asked.get("start"):
        source = load_splits(asked["start"], image_size=SIDE, channels=images.train.shape[0]).train
        earlier = _training(asked, source, cell.seed).trained()
        training.algorithm.load_state_dict(earlier.algorithm.state_dict())
    alike: dict[str, float] = {}
    for step, _ in enumerate(training.reports(), start=1):
        if step == asked["alike"]:
            alike = {KID_ALIKE: _kid(training.look(drawn, seed=cell.seed), images, JUDGE)}
    made = to_uint8(training.model.sample(drawn, seed=cell.seed))
    cost = {COST: 1000 * training.seconds / asked["steps"]}
    return _figures(made, images, meter) | alike | cost


def _training(asked: Mapping[str, Any], data: Dataset, seed: int) -> Training:
    return Training(
        method=asked["method"],
        data=data,
        steps=asked["steps"],
        seed=seed,
        options=asked["options"],
        batch_size=asked["batch"],
    )


def _figures(made: Tensor, images: Images, meter: LeakMeter) -> dict[str, float]:
    """leak: points by which samples look transformed more often than real images."""
    extractor = find_extractor(JUDGE, images.train.shape)
    sides = (cached_features(extractor, part) for part in (images.held_out, images.train))
    sets = Sets(extractor(made), *sides)
    figures = {
        KID: 1000 * kid(sets.fake, sets.held_out).value,
        KID_OTHER: _kid(made, images, OTHER),
        FRECHET: frechet_distance(sets.fake, sets.held_out),
    }
    for measure in MEASURES:
        if set(measure.names) & set(TAKEN):
            figures |= {TAKEN[f.name]: f.value for f in measure.run(sets) if f.name in TAKEN}
    figures[LEAK] = 100 * (meter(to_float(made)).value - meter.real.value)
    return figures


def _kid(made: Tensor, images: Images, judge: str) -> float:
    """In thousandths."""
    extractor = find_extractor(judge, images.train.shape)
    return 1000 * kid(extractor(made), cached_features(extractor, images.held_out)).value
