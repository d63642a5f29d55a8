"""Which of the 1,000 modes of stacked digits each remedy finds, under one loop.

L. Metz et al., *Unrolled GANs*, ICLR 2017, section 3.3; A. Srivastava et al., *VEEGAN*, NIPS 2017, Table 2;
Z. Lin et al., *PacGAN*, NeurIPS 2018, Tables 3 and 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

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

NAME = "stacked-mnist"
MODES, KL, RIGHT = "modes", "reverse KL", "named right"
UNIFORM, TRIPLES, HELD_OUT = "perfect sampler", "training triples", "held-out triples"
DCGAN, R3GAN, PACGAN2, PACGAN4 = "DCGAN", "R3GAN", "PacGAN2", "PacGAN4"
UNROLLED, VEEGAN, WGAN_GP = "Unrolled, 5 steps", "VEEGAN", "WGAN-GP"
SAMPLES, PART = 26_000, 1000  # as in the papers; drawn at once

SHARED: Mapping[str, Any] = {"network": "dcgan", "width": 16, "latent_dim": 64, "ema": 0.999}
# What each is beside what all share.
BATCH_NORM = {"critic_norm": "batch"}
METHODS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    DCGAN: ("gan", BATCH_NORM),
    PACGAN2: ("pacgan", {"pack": 2, **BATCH_NORM}),
    PACGAN4: ("pacgan", {"pack": 4, **BATCH_NORM}),
    UNROLLED: ("unrolled", {"unroll": 5}),
    VEEGAN: ("veegan", BATCH_NORM),
    WGAN_GP: ("wgan-gp", {"n_critic": 2}),
    R3GAN: ("r3gan", {"gamma": 0.5, "lr": 5e-4, "generator_norm": "batch"}),
}
QUICK = (DCGAN, PACGAN2, VEEGAN, WGAN_GP, R3GAN)
STEPS = {"quick": 2000, "full": 30_000}
BATCH = 64
ABOUT = f"""\
Three digits as red, green and blue make 1,000 modes. {SAMPLES:,} samples are named by a classifier that
learned from digits that no generator saw; a mode is found if a sample has its name, and the reverse KL
compares the shares of names with equal ones.

All have DCGAN's networks of width 16, z of 64 dimensions, batches of {BATCH}, averaged weights, and the same
number of steps of the generator: {STEPS["quick"]:,} (quick, under 200,000 images) or {STEPS["full"]:,}
(full). Each keeps its own rate, betas and critic steps, so costs differ. The generators have BatchNorm, and
so have the critics of DCGAN, PacGAN and VEEGAN, as in their papers.

Three rows say what to expect. The *perfect sampler* draws triples at random, so its divergence is that of
{SAMPLES:,} draws; *training triples* are the 25,600 images of training, named by the classifier, and
*held-out triples* are 2,560 others: the share of these that is named right is that of all three digits.

The papers' figures were measured on other networks, with other classifiers and with up to 35 times as many
images: 128,000 triples for 50 epochs in PacGAN. VEEGAN's table has the weak DCGAN of Metz et al.
"""


def cells(budget: Budget, seeds: Sequence[int]) -> list[Cell]:
    """The references and each method."""
    plan = [Cell(name, "", seed) for name in (UNIFORM, TRIPLES, HELD_OUT) for seed in seeds]
    for label in QUICK if budget == "quick" else METHODS:
        method, own = METHODS[label]
        asked = {"method": method, "options": {**SHARED, **own}, "steps": STEPS[budget], "batch": BATCH}
        plan += [Cell(label, "", seed, asked) for seed in seeds]
    return plan


def run(cell: Cell) -> dict[str, float]:
    """Modes and reverse KL in nats of 26,000 samples; of references also the share that is named right."""
    from pushforward.metrics.modes import label_statistics

    if cell.method == UNIFORM:
        names = torch.randint(1000, (SAMPLES,), generator=torch.Generator().manual_seed(cell.seed))
        figures = {RIGHT: 100.0}
    else:
        names, figures = _named(cell)
    counted = label_statistics(names, 1000)
    return {MODES: float(counted.found), KL: counted.reverse_kl, **figures}


def _named(cell: Cell) -> tuple[torch.Tensor, dict[str, float]]:
    """The classifier's names of a model's samples; or of real triples, with the per cent that is right."""
    from pushforward.core import to_float
    from pushforward.data import load_dataset, load_splits
    from pushforward.experiments.images import Training
    from pushforward.features.classifier import train_classifier
    from pushforward.features.digits import triples, unseen

    splits = load_splits(NAME)
    classifier = train_classifier(unseen(load_dataset("mnist10k"), load_dataset("mnist5k")), seed=cell.seed)
    if "method" not in cell.options:
        real = splits.train if cell.method == TRIPLES else splits.test
        assert real.labels is not None
        names = torch.cat([triples(classifier, to_float(part)) for part in real.x.split(PART)])
        return names, {RIGHT: 100 * (names == real.labels).double().mean().item()}
    asked = cell.options
    model = Training(
        method=asked["method"],
        data=splits.train,
        steps=asked["steps"],
        seed=cell.seed,
        options=asked["options"],
        batch_size=asked["batch"],
    ).trained()
    seeds = range(cell.seed * SAMPLES, cell.seed * SAMPLES + SAMPLES // PART)
    return torch.cat([triples(classifier, model.sample(PART, seed=seed)) for seed in seeds]), {}


VEEGAN_TABLE, PACGAN_TABLE = "Srivastava et al. 2017, Table 2", "Lin et al. 2018, Table 3"
PAPERS: Mapping[str, tuple[float, float, str]] = {
    DCGAN: (78.9, 4.50, PACGAN_TABLE),
    PACGAN2: (1000, 0.06, PACGAN_TABLE),
    PACGAN4: (1000, 0.07, PACGAN_TABLE),
    UNROLLED: (48.7, 4.32, VEEGAN_TABLE),
    VEEGAN: (150, 2.95, VEEGAN_TABLE),
}


def published() -> dict[FigureKey, Published]:
    """The papers' figures, each in its own setting."""
    found: dict[FigureKey, Published] = {}
    for label, (modes, kl, table) in PAPERS.items():
        found |= {(label, "", MODES): Published(modes, table), (label, "", KL): Published(kl, table)}
    return found


def _best(results: Results, budget: Budget) -> str:
    """The method with the least mean divergence."""
    return min(QUICK if budget == "quick" else METHODS, key=lambda label: results.mean(KL, label))


def claims(budget: Budget) -> list[Claim]:
    """What the best one reaches, and what the references must be."""
    return [
        Claim(
            "control: the classifier names triples right, per cent",
            lambda r: min(r.all(RIGHT, HELD_OUT)),
            ">=",
            90.0,
        ),
        Claim(
            "control: the perfect sampler's reverse KL is (k − 1)/2n = 0.0192",
            lambda r: abs(r.mean(KL, UNIFORM) - 999 / (2 * SAMPLES)),
            "<=",
            0.002,
        ),
        Claim(
            "the best method finds 950 modes in every seed",
            lambda r: min(r.values(MODES, _best(r, budget))),
            ">=",
            950,
            required=False,
        ),
        Claim(
            "its reverse KL is at most 0.3 nats",
            lambda r: r.mean(KL, _best(r, budget)),
            "<=",
            0.3,
            required=False,
        ),
        Claim(
            "some remedy has at most half of DCGAN's reverse KL",
            lambda r: r.mean(KL, _best(r, budget)) / r.mean(KL, DCGAN),
            "<=",
            0.5,
            required=False,
        ),
    ]


def plot(results: Results) -> Any:
    """Modes and reverse KL by method; a dot a seed."""
    from matplotlib.figure import Figure as Canvas

    labels = list(dict.fromkeys(cell.method for cell in results.figures))
    canvas = Canvas(figsize=(9, 0.42 * len(labels) + 1.2), layout="constrained")
    axes = canvas.subplots(1, 2, sharey=True)
    for axis, figure in zip(axes, (MODES, KL), strict=True):
        for y, label in enumerate(labels):
            values = results.values(figure, label)
            axis.plot(values, [y] * len(values), "o", ms=6, alpha=0.75, color="#0b6e99")
        axis.grid(axis="x", color="#e6e6e6")
        axis.spines[["top", "right", "left"]].set_visible(False)
        axis.tick_params(axis="y", length=0)
    axes[0].set_xlabel("modes of 1,000")
    axes[1].set_xlabel("reverse KL, nats")
    axes[1].set_xscale("log")
    axes[0].set_yticks(range(len(labels)), labels)
    axes[0].invert_yaxis()
    axes[0].set_xlim(left=0)
    return canvas


EXPERIMENT = Experiment(
    name=NAME,
    title="A thousand modes: stacked digits, remedies side by side",
    about=ABOUT,
    source="Metz et al. 2017; Srivastava et al. 2017, Table 2; Lin et al. 2018, Table 3",
    cells=cells,
    run=run,
    figures={MODES: Figure("of 1,000"), KL: Figure("nats"), RIGHT: Figure("%")},
    claims=claims,
    published=published(),
    seeds={"quick": 3, "full": 5},
    plot=plot,
)
