"""Does a critic's loss tell how good samples are? A Wasserstein critic's beside a classifying one's.

M. Arjovsky, S. Chintala and L. Bottou, *Wasserstein GAN*, ICML 2017, section 4.2 and figures 3 and 4; I.
Gulrajani et al., *Improved Training of Wasserstein GANs*, NIPS 2017, section 5.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from pushforward.experiments.harness.experiment import (
    Budget,
    Cell,
    Claim,
    Experiment,
    Figure,
    Results,
    Row,
)
from pushforward.experiments.harness.summary import seed_rows

RHO, LATER, FIRST, LAST = "Spearman", "Spearman, later half", "first MIND", "last MIND"
LOOKS = 20  # at the quality of samples, evenly along the run
WARM = 2  # of them at the start are not ranked: critics have not learned yet
DRAWN = 500  # samples a look, and held-out images
SHARED: Mapping[str, Any] = {"network": "dcgan", "width": 16, "latent_dim": 64, "generator_norm": "batch"}
GAN, GAN5, WGAN, WGAN_GP = "GAN", "GAN, 5 critic steps", "WGAN", "WGAN-GP"
METHODS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    GAN: ("gan", {"lr": 2e-4, "ema": None, "critic_norm": "none"}),
    GAN5: ("gan", {"lr": 2e-4, "ema": None, "critic_norm": "none", "n_critic": 5}),
    WGAN: ("wgan", {"lr": 2e-4, "n_critic": 5}),
    WGAN_GP: ("wgan-gp", {"lr": 2e-4, "ema": None, "n_critic": 5}),
}
STEPS = {"quick": 1000, "full": 10_000}
BATCH = 64
DATA, SIDE = "fashion-mnist", 16
ABOUT = f"""\
A loss that falls as samples become better would say when to stop and which run to keep. Here the critic's
estimate of the distance is averaged between {LOOKS} looks along a run, and ranked against MIND of {DRAWN}
samples at each look, to held-out images, on EfficientNet-Lite0's features of 64 pixels. The rank correlation
is 1 where both order all looks alike; the first {WARM} looks are left out, since critics have not learned
yet. Its *later half* leaves out the start, where nearly anything improves.

What a Wasserstein critic estimates is its own loss with the sign turned, without the penalty. A classifying
critic estimates the Jensen-Shannon divergence: ln 2 − L/2 nats, of its loss L, at its optimum.

All have DCGAN's networks of width 16, BatchNorm in the generator alone, batches of {BATCH},
{STEPS["quick"]:,} generator steps (quick) or {STEPS["full"]:,} (full) of clothes of {SIDE} × {SIDE} pixels,
rate 2e-4 and no averaged weights. The second row has the Wasserstein methods' five critic steps: a GAN whose
critic is as near to its optimum.
"""


def _curve(what: str, look: int) -> str:
    return f"{what} at look {look + 1}"


ESTIMATE, MIND = "estimate", "MIND"
CURVES = [_curve(what, look) for look in range(LOOKS) for what in (ESTIMATE, MIND)]


def cells(budget: Budget, seeds: Sequence[int]) -> list[Cell]:
    """Each method on clothes."""
    plan = []
    for label, (method, own) in METHODS.items():
        asked = {"method": method, "options": {**SHARED, **own}, "steps": STEPS[budget]}
        plan += [Cell(label, "", seed, asked) for seed in seeds]
    return plan


def run(cell: Cell) -> dict[str, float]:
    """The critic's estimate and MIND along training, and how alike they rank the looks."""
    import torch

    from pushforward.data import load_splits
    from pushforward.experiments.images import Training
    from pushforward.features import find_extractor
    from pushforward.metrics.mind import mind

    splits = load_splits(DATA, image_size=SIDE)
    steps = cell.options["steps"]
    training = Training(
        method=cell.options["method"],
        data=splits.train,
        steps=steps,
        seed=cell.seed,
        options=cell.options["options"],
        batch_size=BATCH,
    )
    extractor = find_extractor("efficientnet-lite0@64", splits.train.shape)
    order = torch.randperm(len(splits.test), generator=torch.Generator().manual_seed(0))
    real = extractor(splits.test.x[order[:DRAWN]])
    looks = {-(-steps * (look + 1) // LOOKS) for look in range(LOOKS)}
    estimates, distances, since = [], [], []
    for step, reported in enumerate(training.reports(), start=1):
        since.append(estimate(reported))
        if step in looks:
            estimates.append(statistics.fmean(since))
            since = []
            made = training.look(DRAWN, seed=cell.seed)
            distances.append(mind(extractor(made), real).value)
    return told(estimates, distances)


def estimate(reported: Mapping[str, Any]) -> float:
    """Of the distance, by the critic: W₁ up to a scale, or JS in nats."""
    if "info/distance" in reported:
        return float(reported["info/distance"])
    return math.log(2) - float(reported["loss/critic"]) / 2


def told(estimates: Sequence[float], distances: Sequence[float]) -> dict[str, float]:
    """All figures of one run's looks. No correlation is told as 0 where one side never changes."""
    half = len(distances) // 2
    figures = {
        RHO: spearman(estimates[WARM:], distances[WARM:]),
        LATER: spearman(estimates[half:], distances[half:]),
        FIRST: distances[0],
        LAST: distances[-1],
    }
    for look, pair in enumerate(zip(estimates, distances, strict=True)):
        figures |= {_curve(what, look): value for what, value in zip((ESTIMATE, MIND), pair, strict=True)}
    return figures


def spearman(a: Sequence[float], b: Sequence[float]) -> float:
    """The rank correlation; 0 where one side never changes."""
    if len(set(a)) < 2 or len(set(b)) < 2:
        return 0.0
    from scipy.stats import spearmanr

    return float(spearmanr(a, b).statistic)


def rows(results: Results) -> list[Row]:
    """Without the curves, which the picture shows."""
    return [row for row in seed_rows(EXPERIMENT, results) if row.figure not in CURVES]


def claims(budget: Budget) -> list[Claim]:
    """A Wasserstein critic's loss tracks quality; a classifying critic's does not."""
    return [
        Claim(
            "WGAN-GP: the rank correlation over the whole run",
            lambda r: r.mean(RHO, WGAN_GP),
            ">=",
            0.8,
        ),
        Claim(
            "WGAN: the rank correlation over the whole run",
            lambda r: r.mean(RHO, WGAN),
            ">=",
            0.8,
            required=False,
        ),
        Claim(
            "GAN: it is lower than WGAN-GP's, by",
            lambda r: r.mean(RHO, WGAN_GP) - r.mean(RHO, GAN),
            ">=",
            0.3,
            required=False,
        ),
        Claim(
            "with 5 critic steps it is lower, too, by",
            lambda r: r.mean(RHO, WGAN_GP) - r.mean(RHO, GAN5),
            ">=",
            0.3,
            required=False,
        ),
        Claim(
            "control: every method improves, last MIND over first at most",
            lambda r: max(b / a for a, b in zip(r.all(FIRST), r.all(LAST), strict=True)),
            "<=",
            1.0,
        ),
    ]


def plot(results: Results) -> Any:
    """The critic's estimate and MIND at each look, one seed after another, a column a method."""
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(12, 5), layout="constrained")
    axes = canvas.subplots(2, len(METHODS), sharex=True)
    for column, label in enumerate(METHODS):
        for axis, what in zip(axes[:, column], (ESTIMATE, MIND), strict=True):
            looks = [results.values(_curve(what, look), label) for look in range(LOOKS)]
            for one in zip(*looks, strict=True):
                axis.plot(
                    range(1, LOOKS + 1), one, lw=1.2, color="#0b6e99" if what == ESTIMATE else "#d9730d"
                )
            axis.spines[["top", "right"]].set_visible(False)
            axis.grid(color="#ededed")
        axes[0, column].set_title(f"{label}\nSpearman {results.mean(RHO, label):+.2f}")
        axes[1, column].set_xlabel("look")
        axes[1, column].set_yscale("log")
    axes[0, 0].set_ylabel("critic's estimate\nof the distance")
    axes[1, 0].set_ylabel("MIND to held-out images")
    return canvas


EXPERIMENT = Experiment(
    name="wgan-loss-tracks-quality",
    title="A Wasserstein critic's loss tracks the quality of samples",
    about=ABOUT,
    source="Arjovsky et al. 2017, figures 3 and 4; Gulrajani et al. 2017, section 5",
    cells=cells,
    run=run,
    figures={
        RHO: Figure(),
        LATER: Figure(),
        FIRST: Figure("feature units²"),
        LAST: Figure("feature units²"),
        **dict.fromkeys(CURVES, Figure()),
    },
    claims=claims,
    rows=rows,
    plot=plot,
)
