"""How samples of images lie beside held-out ones: distances on features, classes, sharpness, inversion."""

from __future__ import annotations

import torch
from torch import Tensor

from pushforward.core import to_float, to_uint8
from pushforward.data import Dataset
from pushforward.diagnostics.leak import enough, shown_transforms, train_leak_meter
from pushforward.errors import UserError
from pushforward.evaluation.outcome import Effort, Metric, Outcome, Skipped, mean_metric
from pushforward.features import (
    Classifier,
    FeatureExtractor,
    cached_features,
    find_extractor,
    judge,
    train_classifier,
)
from pushforward.features.table import JUDGES
from pushforward.metrics.images import class_entropy, sharpness
from pushforward.metrics.modes import histogram_kl
from pushforward.metrics.table import MEASURES, FeatureMeasure, Figure, Sets, floor_sets
from pushforward.models.inversion import invert
from pushforward.models.model import Model
from pushforward.objectives.divergences import sinkhorn_divergence

MOST_REAL = 10_000  # real images whose features are taken: each costs as much as one of a sample
INVERTED = 64  # held-out images, each several hundred passes
TRANSPORTED = 500  # rows, whose square the cost of a plan grows with
BLUR = 0.05  # of the median squared distance: the entropy's weight in a plan
DISTANCES = tuple(name for measure in MEASURES for name in measure.names)
TRANSPORT = ("sinkhorn[pixels]",)
ITERATIONS = 3000  # of Sinkhorn's; samples that are all the same need the most
CLASSES = ("class_entropy", "class_kl")
LEAK = ("leak",)


def distances(model: Model, data: Dataset, effort: Effort) -> Outcome:
    """All measures on features, of samples against held-out images, beside real images in their place."""
    outcome = Outcome()
    extractor = _judge(model, effort, outcome)
    sets = _sets(model, effort, extractor, outcome)
    for measure in MEASURES:
        _measured(measure, sets, extractor, effort.train is not None, outcome)
    return outcome


def _judge(model: Model, effort: Effort, outcome: Outcome) -> FeatureExtractor:
    name, why = judge(model.algorithm.features_seen, first=effort.features or JUDGES[0])
    if why:
        outcome.notes.append(f"judged by {name}, not by {why}")
    return find_extractor(name, model.shape, device=model.device)


def _sets(model: Model, effort: Effort, extractor: FeatureExtractor, outcome: Outcome) -> Sets:
    train = effort.train if effort.train is not None else effort.reference
    n = min(effort.samples, len(train))
    if n < effort.samples:
        outcome.notes.append(f"{n:,} samples, as many as there are real images to put in their place")
    # As many held-out images as samples: balls about more of them are smaller, and coverage falls.
    real = [_some(effort.reference, n), _some(train, MOST_REAL)]
    for name, kept, whole in zip(("held-out", "training"), real, (effort.reference, train), strict=True):
        if len(kept) < len(whole):
            outcome.notes.append(f"distances take {len(kept):,} of {len(whole):,} {name} images")
    fake = extractor(to_uint8(model.sample(n, seed=effort.seed)))
    held_out, trained = (cached_features(extractor, x) for x in real)
    return Sets(fake, held_out, trained)


def _some(data: Dataset, n: int) -> Dataset:
    """In an order of its own, so that the first rows are a random part; the same rows each time."""
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(0))
    return data.subset(order[:n])


def _measured(
    measure: FeatureMeasure, sets: Sets, extractor: FeatureExtractor, known: bool, outcome: Outcome
) -> None:
    """known: whether the training images are; else held-out ones stand in for them, and there is no floor."""
    rows = min(len(sets.fake), len(sets.held_out), len(sets.train))
    reason = ""
    if rows < measure.least:
        reason = f"needs at least {measure.least} samples, held-out and training images; there are {rows}"
    elif measure.fresh and not known:
        reason = "needs the training images"
    if reason:
        outcome.skipped += [Skipped(name, reason) for name in measure.names]
        return
    try:
        figures = measure.run(sets)
    except (UserError, RuntimeError) as error:  # features that no decomposition takes
        reason = str(error).strip().splitlines()[0]
        outcome.skipped += [Skipped(name, reason) for name in measure.names]
        return
    real = floor_sets(sets, fresh=measure.fresh) if known else None
    floors = {} if real is None else {f.name: f.value for f in measure.run(real)}
    outcome.metrics += [_metric(f, extractor, floors.get(f.name)) for f in figures]


def _metric(figure: Figure, extractor: FeatureExtractor, floor: float | None) -> Metric:
    fid = figure.name == "frechet" and extractor.family == "inception"
    return Metric(
        name="fid" if fid else f"{figure.name}[{extractor.name}]",
        value=figure.value,
        ci95=figure.error,
        floor=floor,
        unit=figure.unit,
        higher_is_better=figure.higher_is_better,
        features=extractor.name,
    )


def edges(model: Model, data: Dataset, effort: Effort) -> Outcome:
    """Sharpness of samples, beside that of held-out images."""
    real = sharpness(to_float(_some(effort.reference, 1000).x)).mean().item()
    made = sharpness(model.sample(min(effort.samples, 500), seed=effort.seed))
    return Outcome([mean_metric("sharpness", made, "Laplacian²", floor=real)])


def leak(model: Model, data: Dataset, effort: Effort) -> Outcome:
    """The share of samples that look transformed, of a model whose critic saw transforms."""
    transforms = shown_transforms(model.algorithm)
    if not transforms:
        return Outcome()
    if effort.train is None or not enough(effort.train):
        had = "none" if effort.train is None else f"{len(effort.train)}"
        reason = f"needs training images to learn from what transformed ones look like; there are {had}"
        return Outcome(skipped=[Skipped(LEAK[0], reason)])
    meter = train_leak_meter(effort.train, transforms)
    told = meter(model.sample(min(effort.samples, 2000), seed=effort.seed).float())
    real = meter(to_float(_some(effort.reference, 2000).x))
    outcome = Outcome(
        [
            Metric(
                name=LEAK[0],
                value=told.value,
                ci95=max(told.high - told.value, told.value - told.low),
                floor=real.value,
                unit="share",
                higher_is_better=False,
                features="classifier",
            )
        ]
    )
    names = ", ".join(transform.name for transform in transforms)
    outcome.notes.append(f"leak: samples that a classifier takes for transformed by {names}")
    return outcome


def classes(model: Model, data: Dataset, effort: Effort) -> Outcome:
    """How evenly a classifier finds the classes of labelled data among samples, beside held-out images."""
    if effort.train is None or effort.train.labels is None or effort.train.classes is None:
        return Outcome(skipped=[Skipped(name, "the images have no classes") for name in CLASSES])
    try:
        classifier = train_classifier(_some(effort.train, MOST_REAL), seed=0)
    except UserError as error:
        return Outcome(skipped=[Skipped(name, str(error)) for name in CLASSES])
    k = len(effort.train.classes)
    n = min(effort.samples, len(effort.train))
    made = classifier(model.sample(n, seed=effort.seed).float())
    real = _named(classifier, _some(effort.reference, n))
    weights = torch.bincount(_named(classifier, _some(effort.train, n)), minlength=k).double() + 0.5
    counts, fair = (torch.bincount(x, minlength=k) for x in (made, real))
    outcome = Outcome(
        [
            Metric(
                name="class_entropy",
                value=class_entropy(made, k),
                floor=class_entropy(real, k),
                unit="of 1",
                features="classifier",
            ),
            Metric(
                name="class_kl",
                value=histogram_kl(counts, weights),
                floor=histogram_kl(fair, weights),
                unit="nats",
                higher_is_better=False,
                features="classifier",
            ),
        ],
        detail={"samples_per_class": counts.double().tolist()},
    )
    outcome.notes.append(f"classes as a classifier names them that is right for {classifier.accuracy:.1%}")
    return outcome


def _named(classifier: Classifier, data: Dataset) -> Tensor:
    return classifier(to_float(data.x))


def inversion(model: Model, data: Dataset, effort: Effort) -> Outcome:
    """The error of the best code that descent finds for held-out images: what the model cannot make."""
    images = _some(effort.reference, INVERTED)
    told = invert(model, images.x, seed=effort.seed)
    metric = mean_metric(
        "inversion_error", told.error, model.kind.squared_error, higher_is_better=False, floor=0.0
    )
    return Outcome([metric], detail={"inversion_error_per_image": told.error.tolist()})


def transport(model: Model, data: Dataset, effort: Effort) -> Outcome:
    """The Sinkhorn divergence of pixels, between samples and held-out images, beside training images'."""
    train = effort.train if effort.train is not None else effort.reference
    n = min(TRANSPORTED, len(train), len(effort.reference))
    real = to_float(_some(effort.reference, n).x).flatten(1)
    made = model.sample(n, seed=effort.seed).flatten(1)
    others = to_float(_some(train, n).x).flatten(1)

    def cost(x: Tensor, y: Tensor) -> Tensor:
        return torch.cdist(x.double(), y.double()).square()

    epsilon = max(BLUR * cost(real, others).median().item(), 1e-12)
    try:
        value, floor = (
            sinkhorn_divergence(x, real, epsilon=epsilon, cost=cost, iterations=ITERATIONS, tolerance=1e-3)
            for x in (made, others)
        )
    except UserError as error:
        return Outcome(skipped=[Skipped(TRANSPORT[0], str(error))])
    return Outcome(
        [
            Metric(
                name=TRANSPORT[0],
                value=value.item(),
                floor=floor.item(),
                unit="pixel distance²",
                higher_is_better=False,
                features="pixels",
            )
        ]
    )
