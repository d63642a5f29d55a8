"""What helps a GAN that has few images: every remedy under one loop, at equal images and at equal minutes.

N.-T. Tran et al., *On Data Augmentation for GAN Training*, 2021, and what came after: the papers of each row
are in `docs/few-images.md`. `rows` has the methods, `measure` measures, `checks` checks and `picture` draws.
"""

from __future__ import annotations

from collections.abc import Sequence

from pushforward.experiments.few_images import measure
from pushforward.experiments.few_images.checks import claims
from pushforward.experiments.few_images.picture import plot
from pushforward.experiments.few_images.rows import (
    BATCH,
    EVERYWHERE,
    KNOBS,
    ROWS,
    SECONDS,
    SETS,
    SHARED,
    alike,
    asked,
    setting_of,
)
from pushforward.experiments.harness.experiment import Budget, Cell, Experiment, Figure

ABOUT = f"""\
R3GAN learns from 100 or 1,000 images of clothes of {measure.SIDE} × {measure.SIDE} pixels (the full budget
has 6,000, faces and emoji too). Each row is one remedy, under one loop: DCGAN's networks of width
{SHARED["width"]}, batches of {BATCH}, averaged weights, the preset's rates. *Projected* has the hinge loss of
its paper and DiffAugment, and *RS-IMLE* has no critic. *From digits* starts from the weights of a run on
digits that took as many steps, which its time leaves out.

All rows have the same processor time: {SECONDS["quick"]} seconds of one thread (quick) or
{SECONDS["full"] // 60} minutes (full); steps follow from what a step costs. A second look is at **equal
images**: where each row has taken as many steps as the slowest of the rows that share R3GAN's networks, DAG.

- *KID* (in thousandths) and the *Fréchet distance* are against {measure.DRAWN:,} held-out images, on
  EfficientNet-Lite1's features: no row has seen these, but the projected critic has seen others that were
  learned from the same photographs. *KID, random features* is on a random network.
- *Leak* is by how many points samples look turned more often than real images do.
- *FLD gap* tells copies: the lower, the more samples look like training images.
- *Real images* are others, which nobody learns from. *Copies* are the training images in place of samples:
  what is below them has learned more than them.

Shifted and cropped views are eight, of which two are drawn for each step. The last rows change λ and the
number of transforms that a step shows, with 100 images.
"""


def cells(budget: Budget, seeds: Sequence[int]) -> list[Cell]:
    """The references and each row on each number of images of each set."""
    plan = []
    for data, sizes in SETS[budget].items():
        for n in sizes:
            told = {"data": data, "n": n}
            few = n <= 200
            labels = [label for label in ROWS if few or budget == "full" or label in EVERYWHERE]
            labels += [label for label in KNOBS if few]
            for label in (measure.REAL, measure.COPIES):
                plan += [Cell(label, setting_of(data, n), seed, told) for seed in seeds]
            for label in labels:
                options = {**told, **asked(label, budget), "alike": alike(budget)}
                plan += [Cell(label, setting_of(data, n), seed, options) for seed in seeds]
    return plan


EXPERIMENT = Experiment(
    name="few-images",
    title="Few images: every remedy side by side, at equal images and at equal minutes",
    about=ABOUT,
    source="Tran et al. 2021; Zhao et al. 2020; Karras et al. 2020; Tseng et al. 2021; Sauer et al. 2021",
    cells=cells,
    run=measure.measured,
    figures={
        measure.KID: Figure("10⁻³"),
        measure.KID_ALIKE: Figure("10⁻³"),
        measure.KID_OTHER: Figure("10⁻³"),
        measure.FRECHET: Figure("feature units²"),
        measure.PRECISION: Figure("share"),
        measure.RECALL: Figure("share"),
        measure.GAP: Figure("nats/100 features"),
        measure.LEAK: Figure("points"),
        measure.COST: Figure("ms a step"),
    },
    claims=claims,
    seeds={"quick": 3, "full": 5},
    plot=plot,
)
