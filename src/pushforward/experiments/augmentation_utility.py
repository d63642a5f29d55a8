"""What generated images are worth to a classifier with few labels, beside classical augmentation.

The question of A. Antoniou, A. Storkey and H. Edwards, *Data Augmentation Generative Adversarial Networks*,
2017, and of S. Ravuri and O. Vinyals, *Classification Accuracy Score for Conditional Generative Models*,
NeurIPS 2019, with the generator trained on the same few labels as the classifier.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pushforward.experiments.harness.experiment import (
    Budget,
    Cell,
    Claim,
    Experiment,
    Figure,
    FigureKey,
    Published,
    Results,
)

ALONE, VAE, R3GAN, SVM = "labels alone", "+ conditional VAE", "+ conditional R3GAN", "RBF SVM"
PLAIN, CLASSICAL = "accuracy", "accuracy, classical augmentation"
GENERATORS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    VAE: ("vae", {"network": "conv", "width": 16, "latent_dim": 16, "lr": 1e-3, "conditional": True}),
    R3GAN: (
        "r3gan",
        {
            "network": "dcgan",
            "width": 16,
            "latent_dim": 32,
            "lr": 5e-4,
            "gamma": 0.5,
            "generator_norm": "batch",
            "conditional": True,
        },
    ),
}
STEPS: Mapping[Budget, Mapping[str, int]] = {
    "quick": {VAE: 1000, R3GAN: 700},
    "full": {VAE: 10_000, R3GAN: 15_000},
}
SETS = ("fashion-mnist", "mnist5k")
SIZES: Mapping[Budget, Sequence[int]] = {"quick": (100, 1000), "full": (100, 500, 1000)}
MADE = 5000  # images of a generator, as many of each class
CLOTHES_FLIP = ("fashion-mnist",)  # a mirrored digit is none
ABOUT = f"""\
A small convolutional network learns from 100 or 1,000 labelled images, and is tested on images that neither
it nor a generator has seen: 10,000 clothes, or the 4,941 digits of `mnist10k` that are not in `mnist5k`.
Half of each batch may be images of a class-conditional generator that was trained on **those same labels**
and no others: {MADE:,} of them, as many of each class. *Classical augmentation* turns, shifts and scales
each real image by a little, and mirrors clothes; it does not touch generated ones.

All classifiers take the same number of steps with the same schedule, chosen before any was tested. Generators
take {STEPS["quick"][VAE]:,} steps (VAE) and {STEPS["quick"][R3GAN]:,} (R3GAN) in the quick budget,
{STEPS["full"][VAE]:,} and {STEPS["full"][R3GAN]:,} in the full one. The support vector machine (C = 10) is
the reference; the row beside it is of other draws of the labels.
"""


def cells(budget: Budget, seeds: Sequence[int]) -> list[Cell]:
    """Each source of images for each number of labels of each set."""
    plan = []
    for data in SETS:
        for n in SIZES[budget]:
            for label in (SVM, ALONE, *GENERATORS):
                asked: dict[str, Any] = {"data": data, "labels": n}
                if label in GENERATORS:
                    method, options = GENERATORS[label]
                    asked |= {"method": method, "options": dict(options), "steps": STEPS[budget][label]}
                plan += [Cell(label, _setting(data, n), seed, asked) for seed in seeds]
    return plan


def _setting(data: str, n: int) -> str:
    return f"{data}, {n:,} labels"


def run(cell: Cell) -> dict[str, float]:
    """Test accuracy in per cent, without and with classical augmentation."""
    from pushforward.experiments import few_labels
    from pushforward.experiments.images import Training

    data = cell.options["data"]
    train, test = few_labels.load(data, cell.options["labels"], cell.seed)
    if cell.method == SVM:
        return {PLAIN: few_labels.support_vectors(train, test)}
    extra = None
    if cell.method in GENERATORS:
        training = Training(
            method=cell.options["method"],
            data=train,
            steps=cell.options["steps"],
            seed=cell.seed,
            options=cell.options["options"],
        )
        extra = few_labels.drawn(training.trained(), MADE, seed=cell.seed)
    flips = data in CLOTHES_FLIP
    return {
        name: few_labels.accuracy(train, test, extra=extra, classical=classical, flips=flips, seed=cell.seed)
        for name, classical in ((PLAIN, False), (CLASSICAL, True))
    }


PUBLISHED = {"mnist5k": (70.3, 85.4, 89.7), "fashion-mnist": (71.3, 79.6, 82.6)}


def published() -> dict[FigureKey, Published]:
    """Of the support vector machine, at 100, 500 and 1,000 labels."""
    return {
        (SVM, _setting(data, n), PLAIN): Published(value, "scikit-learn's SVC, other draws")
        for data, values in PUBLISHED.items()
        for n, value in zip((100, 500, 1000), values, strict=True)
    }


def _gain(results: Results, label: str, setting: str, figure: str) -> float:
    """Points over the same labels alone, the mean over seeds."""
    return results.mean(figure, label, setting) - results.mean(figure, ALONE, setting)


def _alone(results: Results, data: str, n: int) -> float:
    return results.mean(PLAIN, ALONE, _setting(data, n))


def _gains(results: Results, figure: str, few: bool) -> list[float]:
    """Of each generator, with 100 labels or with more."""
    settings = dict.fromkeys(cell.setting for cell in results.figures)
    chosen = [s for s in settings if (", 100 " in s) == few]
    return [_gain(results, label, s, figure) for label in GENERATORS for s in chosen] or results.all(
        figure, VAE
    )


def claims(budget: Budget) -> list[Claim]:
    """Whatever comes out is the answer: only the controls are required."""
    return [
        Claim(
            "control: 1,000 labels are worth more than 100, in points",
            lambda r: min(_alone(r, data, 1000) - _alone(r, data, 100) for data in SETS),
            ">=",
            5.0,
        ),
        Claim("control: labels alone, per cent", lambda r: min(r.all(PLAIN, ALONE)), ">=", 50.0),
        Claim(
            "some generator adds a point to 100 labels alone",
            lambda r: max(_gains(r, PLAIN, few=True)),
            ">=",
            1.0,
            required=False,
        ),
        Claim(
            "some generator adds a point on top of classical augmentation",
            lambda r: max(_gains(r, CLASSICAL, few=True) + _gains(r, CLASSICAL, few=False)),
            ">=",
            1.0,
            required=False,
        ),
        Claim(
            "no generator takes a point away from classical augmentation",
            lambda r: min(_gains(r, CLASSICAL, few=True) + _gains(r, CLASSICAL, few=False)),
            ">=",
            -1.0,
            required=False,
        ),
    ]


def plot(results: Results) -> Any:
    """Test accuracy by source of images, without and with classical augmentation; a dot a seed."""
    from matplotlib.figure import Figure as Canvas

    settings = list(dict.fromkeys(cell.setting for cell in results.figures))
    labels = (ALONE, *GENERATORS)
    canvas = Canvas(figsize=(3.3 * len(settings), 3.9), layout="constrained")
    axes = canvas.subplots(1, len(settings), squeeze=False)[0]
    for axis, setting in zip(axes, settings, strict=True):
        for x, label in enumerate(labels):
            for shift, figure, colour in ((-0.12, PLAIN, "#0b6e99"), (0.12, CLASSICAL, "#d9730d")):
                values = results.values(figure, label, setting)
                name = ("plain" if figure == PLAIN else "classical augmentation") if x == 0 else None
                axis.plot([x + shift] * len(values), values, "o", ms=5, alpha=0.75, color=colour, label=name)
        axis.axhline(results.mean(PLAIN, SVM, setting), color="#8c8c8c", lw=1, ls="--", label="RBF SVM")
        axis.set_title(setting, fontsize=10)
        axis.set_xticks(range(len(labels)), ["alone", "+ VAE", "+ R3GAN"])
        axis.set_xlim(-0.5, len(labels) - 0.5)
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="y", color="#ededed")
    axes[0].set_ylabel("test accuracy, %")
    canvas.legend(*axes[0].get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=3)
    return canvas


EXPERIMENT = Experiment(
    name="augmentation-utility",
    title="What generated images are worth to a classifier with few labels",
    about=ABOUT,
    source="Antoniou et al. 2017; Ravuri and Vinyals 2019",
    cells=cells,
    run=run,
    figures={PLAIN: Figure("%"), CLASSICAL: Figure("%")},
    claims=claims,
    published=published(),
    seeds={"quick": 5, "full": 5},
    plot=plot,
)
