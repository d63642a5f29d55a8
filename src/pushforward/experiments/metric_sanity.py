"""Each measure of image quality under damage of known strength: what it sees, and what it is blind to.

The damages are those of M. Heusel et al., *GANs trained by a two time-scale update rule*, NIPS 2017, figure
3, of M. F. Naeem et al., *Reliable Fidelity and Diversity Metrics*, ICML 2020, section 4, and of M.
Jiralerspong et al., *Feature Likelihood Divergence*, NeurIPS 2023, section 4: blur, noise, missing classes,
repeats, and copies of training images.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from pushforward.experiments.harness.experiment import (
    Budget,
    Cell,
    Claim,
    Experiment,
    Figure,
    Incomplete,
    Results,
)

FRESH = "fresh"
DAMAGES = ("blur", "noise", "missing classes", "repeats", "copies")
STRENGTHS = (0.25, 0.5, 1.0)
TRAIN, HELD_OUT, MADE = 2000, 1000, 1000
# What must move, and where to, under each damage; -1 falls, +1 rises.
EXPECTED: Mapping[str, Mapping[str, int]] = {
    "blur": {"frechet": 1, "kid": 1, "mind": 1, "fld": 1, "p_precision": -1, "sharpness": -1},
    "noise": {
        "frechet": 1,
        "kid": 1,
        "mind": 1,
        "fld": 1,
        "p_precision": -1,
        "precision": -1,
        "sharpness": 1,
    },
    "missing classes": {
        "frechet": 1,
        "kid": 1,
        "mind": 1,
        "recall": -1,
        "coverage": -1,
        "p_recall": -1,
        "vendi": -1,
        "class_entropy": -1,
    },
    "repeats": {"vendi": -1, "repeats": 1, "coverage": -1},
    "copies": {"fld": 1, "fld_gap": -1, "authentic": -1, "closer_to_train": 1},
}
BLIND = ("frechet", "kid", "mind", "precision", "coverage", "p_precision")  # to copies: no worse than fresh
NAMES = (
    "frechet",
    "kid",
    "mmd_gaussian",
    "mind",
    "precision",
    "recall",
    "density",
    "coverage",
    "p_precision",
    "p_recall",
    "vendi",
    "fld",
    "fld_gap",
    "authentic",
    "closer_to_train",
    "repeats",
    "sharpness",
    "class_entropy",
)
ABOUT = f"""\
A measure that cannot tell damaged images from fresh ones says nothing of a model. So here nothing is trained
but a classifier: {MADE:,} fresh images, which are in neither the training nor the held-out part, stand for
samples, and are damaged step by step. The reference is {HELD_OUT:,} held-out images, {TRAIN:,} are taken for
the training set, and distances are on EfficientNet-Lite0's features.

- *blur*: a Gaussian of up to 1.5 pixels. *noise*: of up to 0.4 of the range of intensities.
- *missing classes*: up to 8 of 10 classes are replaced by images of the others.
- *repeats*: up to 90 % of the images are repeats of the rest. *copies*: up to all are training images.

The picture says how far each measure moves at full strength, in standard deviations of what it says of fresh
images. A measure that does not move the way that it should would refute its use; so would a distance that
noticed copies, since then FLD and its like were not needed.
"""


def cells(budget: Budget, seeds: Sequence[int], data: str = "mnist5k") -> list[Cell]:
    """Fresh images, and each damage at each strength; full takes clothes as well."""
    sources = [data] if budget == "quick" or data != "mnist5k" else [data, "fashion-mnist"]
    return [cell for source in sources for cell in _cells_on(source, seeds)]


def _cells_on(source: str, seeds: Sequence[int]) -> list[Cell]:
    plan = [Cell(FRESH, source, seed, {"data": source, "strength": 0.0}) for seed in seeds]
    for damage in DAMAGES:
        for strength in STRENGTHS:
            asked = {"data": source, "damage": damage, "strength": strength}
            plan += [Cell(f"{damage} {strength:g}", source, seed, asked) for seed in seeds]
    return plan


def run(cell: Cell) -> dict[str, float]:
    """All measures of damaged images."""
    import torch

    from pushforward.core import to_float
    from pushforward.data import load_dataset
    from pushforward.experiments.damage import damaged
    from pushforward.features import cached_features, find_extractor, train_classifier
    from pushforward.metrics.frechet import frechet_distance
    from pushforward.metrics.images import class_entropy, sharpness
    from pushforward.metrics.table import MEASURES, Sets

    data = load_dataset(cell.options["data"])
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(cell.seed))
    parts = order[: TRAIN + HELD_OUT + 2 * MADE].split([TRAIN, HELD_OUT, MADE, MADE])
    train, held_out, fresh, more = (data.subset(part) for part in parts)
    made = damaged(fresh, more, train, cell)
    extractor = find_extractor("efficientnet-lite0", data.shape)
    sets = Sets(extractor(made), cached_features(extractor, held_out), cached_features(extractor, train))
    figures = {"frechet": frechet_distance(sets.fake, sets.held_out)}
    for measure in MEASURES:
        if measure.names[0] != "frechet":
            figures |= {f.name: f.value for f in measure.run(sets)}
    figures["sharpness"] = sharpness(to_float(made)).mean().item()
    classifier = train_classifier(train, seed=0)
    figures["class_entropy"] = class_entropy(classifier(to_float(made)), len(data.classes or ()))
    return {name: figures[name] for name in NAMES}


def _sources(results: Results) -> list[str]:
    """The data that cells were of. Raises Incomplete where there are none."""
    sources = list(dict.fromkeys(cell.setting for cell in results.figures))
    if not sources:
        raise Incomplete("no cell finished")
    return sources


def claims(budget: Budget) -> list[Claim]:
    """Each measure moves as it should, in order of strength; distances do not see copies."""
    made = []
    for damage, names in EXPECTED.items():
        for name, sense in names.items():
            way = "rises" if sense > 0 else "falls"
            told = f"{name} {way} with {damage}"
            made.append(Claim(f"{told}, at full strength by 3 sd", _moves(name, damage, sense), ">=", 3.0))
            backward = _backward(name, damage, sense)
            made.append(Claim(f"{told}, no step back by 3 sd", backward, "<=", 3.0, required=False))
    for name in BLIND:
        claim = f"{name} does not find copies worse than fresh images, by 5 %"
        made.append(Claim(claim, _worse_with_copies(name), "<=", 0.05, required=False))
    return made


def _moves(name: str, damage: str, sense: int) -> Callable[[Results], float]:
    """In standard deviations of fresh images, the way that it should."""
    return lambda results: min(sense * _moved(name, damage, at, results) for at in _sources(results))


def _backward(name: str, damage: str, sense: int) -> Callable[[Results], float]:
    """The largest step the wrong way as strength grows, in the same unit."""

    def worst(results: Results) -> float:
        steps = []
        for source in _sources(results):
            path = [FRESH, *(f"{damage} {strength:g}" for strength in STRENGTHS)]
            means = [results.mean(name, at, source) for at in path]
            steps += [-sense * (b - a) / _spread(name, source, results) for a, b in pairwise(means)]
        return max(0.0, *steps)

    return worst


def _worse_with_copies(name: str) -> Callable[[Results], float]:
    """By which share of its value for fresh images it is worse for copies; below 0 where it is better."""
    lower = name in ("frechet", "kid", "mind")

    def worse(results: Results) -> float:
        shares = []
        for source in _sources(results):
            fresh, copied = (results.mean(name, at, source) for at in (FRESH, "copies 1"))
            size = max(abs(fresh), abs(results.mean(name, "noise 0.25", source)) * 0.05, 1e-12)
            shares.append((copied - fresh if lower else fresh - copied) / size)
        return max(shares)

    return worse


def cells_on(budget: Budget, seeds: Sequence[int], data: str) -> list[Cell]:
    """The same on other labelled images."""
    return cells(budget, seeds, data)


def plot(results: Results) -> Any:
    """Measures by damages at full strength: how many standard deviations of fresh images they move."""
    from matplotlib.figure import Figure as Canvas

    source = _sources(results)[0]
    moved = [[_moved(name, damage, source, results) for damage in DAMAGES] for name in NAMES]
    canvas = Canvas(figsize=(8, 8), layout="constrained")
    ax = canvas.subplots()
    shades = [[max(-30.0, min(30.0, v)) for v in row] for row in moved]
    ax.imshow(shades, cmap="PuOr", vmin=-30, vmax=30, aspect="auto")
    ax.set_xticks(range(len(DAMAGES)), DAMAGES)
    ax.set_yticks(range(len(NAMES)), NAMES)
    for i, row in enumerate(moved):
        for j, value in enumerate(row):
            dark = abs(value) > 20
            told = f"{value:+.0f}" if abs(value) < 10_000 else f"{value:+.0e}"
            ax.text(j, i, told, ha="center", va="center", color="white" if dark else "black")
    ax.set_title(f"{source}: movement at full damage, in standard deviations of fresh images")
    return canvas


def _moved(name: str, damage: str, source: str, results: Results) -> float:
    at_full = results.mean(name, f"{damage} {STRENGTHS[-1]:g}", source)
    return (at_full - results.mean(name, FRESH, source)) / _spread(name, source, results)


def _spread(name: str, source: str, results: Results) -> float:
    """The standard deviation of fresh images over seeds; a small share of the value where that is 0."""
    fresh = results.values(name, FRESH, source)
    spread = statistics.stdev(fresh) if len(fresh) > 1 else 0.0
    return max(spread, 1e-4 * abs(statistics.mean(fresh)), 1e-5)


EXPERIMENT = Experiment(
    name="metric-sanity",
    title="What each measure of image quality sees",
    about=ABOUT,
    source="Heusel et al. 2017, Naeem et al. 2020, Jiralerspong et al. 2023",
    cells=cells,
    cells_on=cells_on,
    run=run,
    figures={name: Figure() for name in NAMES},
    claims=claims,
    plot=plot,
    seeds={"quick": 3, "full": 5},
)
