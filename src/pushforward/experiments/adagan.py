"""AdaGAN covers the modes that one small GAN of its kind misses.

I. Tolstikhin et al., *AdaGAN: Boosting Generative Models*, NIPS 2017, section 4: Gaussians in the plane.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from pushforward.core import Algorithm
from pushforward.data import Dataset, Stream
from pushforward.data.modes import Modes
from pushforward.data.toys import draw
from pushforward.ensembles.adagan import boost, component_seed
from pushforward.ensembles.mixture import MixtureModel
from pushforward.ensembles.recipe import AdaGANRecipe
from pushforward.ensembles.weighting import Weighting
from pushforward.experiments.harness.experiment import Budget, Cell, Claim, Experiment, Figure, Results
from pushforward.metrics.coverage import coverage
from pushforward.metrics.modes import mode_statistics
from pushforward.randomness import aside
from pushforward.training.fit import fit

BOOSTED, ALIKE, ORACLE = "AdaGAN", "equal data", "draws of the data"
SIZES = (1, 2, 3, 5, 10)  # of the mixture, when it is measured
MODES, HALF_SIDE, SIGMA = 10, 15.0, math.sqrt(0.05)
TRAIN, TEST, SAMPLES = 64_000, 2000, 4000
BATCH = 64
EPOCHS = {"quick": 3, "full": 15}
ABOUT = """\
The data are 64,000 points of 10 Gaussians with σ² = 0.05, whose means were drawn uniformly from [−15, 15]²,
the same in every run. Generators and critics have two hidden layers of 16 units, the noise 5 dimensions.
*AdaGAN* trains up to 10 such GANs one after another, each on data that are weighted towards what the mixture
so far misses; *equal data* trains them on unweighted data, from the same seeds: the control, for what is due
to having several models at all.

C is the share of the data where the model's density exceeds its own 5th percentile, by kernel density
estimates. A perfect sampler scores 0.95 and one that is spread too wide 1.0, so it is to be read with the
share of samples within 3σ of a mode, and with the KL of the samples' histogram over the nearest modes from
that of the data. If AdaGAN stayed below 0.93 with 10 components, or a single GAN did not, this would be
refuted.

Deviations from the published code: Adam with rate 5e-3 and β₁ = 0.5 instead of SGD; the deviations of
`train adagan`, with classifiers of 1,000 steps; and 3 epochs a component in the quick budget, where the code
has 15. The rate was chosen between 1e-3 and 5e-3 by the share of good samples on seed 100, which is not
reported.
"""


def square_modes() -> Modes:
    """The 10 Gaussians."""
    centres = np.random.RandomState(0).uniform(-HALF_SIDE, HALF_SIDE, (MODES, 2))
    return Modes("square", centres, SIGMA, 2, 3 * SIGMA, "within 3σ of the nearest mode")


def cells(budget: Budget, seeds: Sequence[int]) -> list[Cell]:
    """Both ways to train ten models, and the perfect sampler."""
    steps = {"steps": EPOCHS[budget] * TRAIN // BATCH}
    trained = [Cell(method, "", seed, steps) for method in (BOOSTED, ALIKE) for seed in seeds]
    return [*trained, *(Cell(ORACLE, "", seed) for seed in seeds)]


def run(cell: Cell) -> dict[str, float]:
    """Train the components; measure the mixture at each of the sizes."""
    modes = square_modes()
    test = torch.from_numpy(draw(modes, TEST, seed=1)[0])
    if cell.method == ORACLE:
        perfect = torch.from_numpy(draw(modes, SAMPLES, seed=1000 + cell.seed)[0])
        return _measured(perfect, test, modes, SIZES[0])
    data = Dataset.of(torch.from_numpy(draw(modes, TRAIN, seed=0)[0]))
    recipe = AdaGANRecipe(
        components=SIZES[-1],
        component_options={"hidden": [16, 16], "latent_dim": 5, "lr": 5e-3},
        classifier_steps=1000,
    )

    def train(index: int, weighting: Weighting) -> Algorithm:
        seed = component_seed(cell.seed, index)
        torch.manual_seed(seed)
        component: Algorithm = recipe.component_recipe().build(data.shape)
        weighted = None if weighting.weights is None else {"data": weighting.weights}
        stream = Stream({"data": data}, batch_size=BATCH, seed=seed, weights=weighted)
        fit(component, stream, cell.options["steps"])
        return component

    figures: dict[str, float] = {}
    mixture: MixtureModel = recipe.build(data.shape)
    keep = (
        (lambda index, compute: compute()) if cell.method == BOOSTED else (lambda index, compute: Weighting())
    )
    for stage in boost(mixture, data, recipe, train=train, batch_size=BATCH, seed=cell.seed, remember=keep):
        if stage.index + 1 in SIZES:
            with aside(cell.seed):
                figures |= _measured(mixture.sample(SAMPLES), test, modes, stage.index + 1)
    return figures


def _figure(name: str, size: int) -> str:
    return f"{name}, {size} component{'s' if size > 1 else ''}"


def _measured(samples: torch.Tensor, test: torch.Tensor, modes: Modes, size: int) -> dict[str, float]:
    seen = mode_statistics(samples, torch.from_numpy(modes.centres), radius=modes.radius)
    return {
        _figure("C", size): coverage(test, samples).share,
        _figure("high quality", size): seen.quality,
        _figure("modes", size): float(seen.found),
        _figure("reverse KL", size): seen.reverse_kl,
    }


def claims(budget: Budget) -> list[Claim]:
    """The paper's claim, its control, and that C was not bought by spreading the samples."""
    one, all_ = SIZES[0], SIZES[-1]
    return [
        Claim("control: C of draws of the data themselves, from below", _mean("C", ORACLE, one), ">=", 0.93),
        Claim("control: C of draws of the data themselves, from above", _mean("C", ORACLE, one), "<=", 0.97),
        Claim("AdaGAN of 10 components covers C ≥ 0.93", _mean("C", BOOSTED, all_), ">=", 0.93),
        Claim("its first GAN alone does not", _mean("C", BOOSTED, one), "<=", 0.9),
        Claim(
            "10 boosted components have at least as large a share of good samples as the first alone",
            lambda r: _mean("high quality", BOOSTED, all_)(r) - _mean("high quality", BOOSTED, one)(r),
            ">=",
            0.0,
        ),
        Claim(
            "boosting covers the modes more evenly than equal data do: nats of reverse KL less",
            lambda r: _mean("reverse KL", ALIKE, all_)(r) - _mean("reverse KL", BOOSTED, all_)(r),
            ">=",
            0.0,
            required=False,
        ),
    ]


def _mean(name: str, method: str, size: int) -> Any:
    return lambda results: results.mean(_figure(name, size), method)


def plot(results: Results) -> Any:
    """C and the share of good samples against the number of components."""
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(9, 3.6), layout="constrained")
    for axes, name, label in zip(
        canvas.subplots(1, 3),
        ("C", "high quality", "reverse KL"),
        ("C, share of data covered", "share of samples within 3σ", "reverse KL over modes, nats"),
        strict=True,
    ):
        for method, style in ((BOOSTED, "o-"), (ALIKE, "s--")):
            values = [results.values(_figure(name, size), method) for size in SIZES]
            means = [sum(v) / len(v) for v in values]
            (line,) = axes.plot(SIZES, means, style, label=method, markersize=4)
            low, high = [min(v) for v in values], [max(v) for v in values]
            axes.fill_between(SIZES, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
        perfect = results.mean(_figure(name, SIZES[0]), ORACLE)
        axes.axhline(perfect, color="0.4", linestyle=":", label=ORACLE)
        axes.set(xlabel="components", ylabel=label, ylim=(0, None), xticks=SIZES)
    canvas.axes[0].legend(frameon=False, loc="lower right")
    return canvas


EXPERIMENT = Experiment(
    name="adagan",
    title="AdaGAN covers the modes that one small GAN of its kind misses",
    about=ABOUT,
    source="Tolstikhin et al. 2017",
    cells=cells,
    run=run,
    figures={
        _figure(name, size): Figure(unit)
        for name, unit in (("C", ""), ("high quality", ""), ("modes", "of 10"), ("reverse KL", "nats"))
        for size in SIZES
    },
    claims=claims,
    plot=plot,
)
