"""Whether a tighter bound trains a better encoder: IWAE, CIWAE, PIWAE and DReG, on equal minutes.

T. Rainforth et al., *Tighter Variational Bounds are Not Necessarily Better*, ICML 2018; G. Tucker et al.,
*Doubly Reparameterized Gradient Estimators for Monte Carlo Objectives*, ICLR 2019. `signal` measures
gradients, `digits` trains and bounds, `checks` is what is checked and `picture` what is drawn.
"""

from __future__ import annotations

import math
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

VAE, IWAE, CIWAE, PIWAE, DREG = "VAE", "IWAE", "CIWAE, β = 0.5", "PIWAE", "IWAE, DReG"
# Of each: method, and milliseconds of processor time that a step took with 16 and with 64 samples, in turn
# with the others, on a core of a Xeon with AMX whose other core was busy. The steps of a run follow from
# them, so a run is the same anywhere, and its share of time nearly so.
METHODS: Mapping[str, tuple[str, Mapping[int, float]]] = {
    VAE: ("vae", {16: 2.4, 64: 2.4}),
    IWAE: ("iwae", {16: 6.8, 64: 21.6}),
    CIWAE: ("ciwae", {16: 6.8, 64: 23.7}),
    PIWAE: ("piwae", {16: 8.6, 64: 32.6}),
    DREG: ("dreg", {16: 8.9, 64: 31.2}),
}
SAMPLED = (IWAE, CIWAE, PIWAE, DREG)  # those that have a k

NLL, OVER_IMAGES, GAP = "test NLL", "its standard error over images", "NLL below −ELBO"
COUNT, BEST, STEPS = "draws that count", "best step", "steps"
ENCODER, DECODER = "encoder's signal to noise", "decoder's signal to noise"
DIGITS = "binarized digits, equal minutes"
KS, LINEAR_KS = (4, 16, 64), (4, 16, 64, 256)  # of digits, and of the linear model

BUDGETS: Mapping[Budget, Mapping[str, Any]] = {
    "quick": {"data": "mnist10k", "k": 16, "seconds": 80, "draws": 5000},
    "full": {"data": "mnist10k", "k": 64, "seconds": 3600, "draws": 5000},
}
REPEATS: Mapping[Budget, Mapping[str, int]] = {
    "quick": {"linear": 1000, "digits": 200},
    "full": {"linear": 4000, "digits": 2000},
}
YOUNG, IMAGES = 2000, 20  # steps of the network whose gradients are measured; images that they are of
ABOUT = f"""\
A bound of k samples is tighter than the ELBO. But as k grows, the gradient that an IWAE's encoder gets from
it shrinks faster than its noise: the ratio falls as 1/√k, while the decoder's rises as √k. Three remedies
stand beside it. A *CIWAE* mixes the bound with the ELBO. A *PIWAE* gives the encoder the mean of √k bounds of
√k samples, and the decoder the bound of all k. *DReG* keeps the bound, and estimates its gradient otherwise.

*Signal to noise* is √(‖E g‖² / E‖g − E g‖²) of the gradient g of one batch by all weights of a network; the
noise is that of z. First of a linear model of 20 dimensions with Gaussian noise, where the posterior is
known and q's variance is 2/3 instead of its 1/2, with weights a little off their best. Slopes are of ln ratio
against ln k, from k = 16 on, since the laws are of large k. Then of digits: one VAE, trained for {YOUNG:,}
steps, whose gradients all estimators measure.

*Equal minutes*: one layer of 50 latents, 784-200-200-50 and back, digits binarized anew at each use, batches
of 20, Adam with a rate that falls from 0.001 along a cosine. Every method has the same processor time, by
rates of steps that were measured on one processor: on another its shares differ by some tens of per cent.
So the VAE takes several times as many steps as the IWAE. All keep their best weights by a bound of 50
draws on 5 % of the training images. *Test NLL* is minus the bound of 5,000 draws on held-out images, each
binarized once; its standard error is that over images, the spread that over seeds. Lower is better. *NLL
below −ELBO* is what q loses: the smaller, the better the encoder fits.

The claims would be refuted by slopes of other signs, or by an IWAE that is ahead of its remedies. Quick has
k = 16 and {BUDGETS["quick"]["seconds"]} seconds a run, full k = 64 and an hour; `--data` gives all of MNIST.
The papers' figures are of 60,000 images, so ours are not to be put beside them where there are fewer.
"""


def linear(k: int) -> str:
    """The setting's name."""
    return f"linear-Gaussian, k = {k}"


def young(k: int) -> str:
    """The setting's name."""
    return f"digits, {YOUNG:,} steps, k = {k}"


def options_of(label: str, k: int) -> dict[str, Any]:
    """Of the recipe, with k samples."""
    own: dict[str, dict[str, Any]] = {VAE: {}, CIWAE: {"k": k, "beta": 0.5}}
    own[PIWAE] = {"k": k, "groups": math.isqrt(k)}
    return own.get(label, {"k": k})


def cells(budget: Budget, seeds: Sequence[int], data: str | None = None) -> list[Cell]:
    """Signals of the linear model and of digits, and the trainings. data: images in the budget's place."""
    asked = {**BUDGETS[budget], **({} if data is None else {"data": data})}
    repeats, k = REPEATS[budget], asked["k"]
    plan = [
        Cell(label, linear(n), seed, {"k": n, "repeats": repeats["linear"]})
        for n in LINEAR_KS
        for label in SAMPLED
        for seed in seeds
    ]
    plan += [
        Cell(label, young(n), seed, {"k": n, "repeats": repeats["digits"], "data": asked["data"]})
        for n in KS
        for label in SAMPLED
        for seed in seeds
    ]
    for label, (_, cost) in METHODS.items():
        steps = round(1000 * asked["seconds"] / cost[k])
        own = {"k": k, "steps": steps, "draws": asked["draws"], "data": asked["data"]}
        plan += [Cell(label, DIGITS, seed, own) for seed in seeds]
    return plan


def run(cell: Cell) -> dict[str, float]:
    """The signal of one method in one setting, or what came of a training."""
    if cell.setting == DIGITS:
        return _trained(cell)
    from pushforward.experiments.tighter_bounds.signal import linear_gaussian, signal_to_noise

    asked = cell.options
    method, options = METHODS[cell.method][0], options_of(cell.method, asked["k"])
    if cell.setting == linear(asked["k"]):
        algorithm, x = linear_gaussian(method, options, cell.seed)
    else:
        algorithm, x = _young(method, options, asked["data"], cell.seed)
    found = signal_to_noise(algorithm, x, repeats=asked["repeats"])
    return {ENCODER: found["encoder"], DECODER: found["decoder"]}


def _young(method: str, options: Mapping[str, Any], data: str, seed: int) -> tuple[Any, torch.Tensor]:
    """The method with the weights of a VAE that is not trained for long, and some images."""
    from pushforward.data import Stream
    from pushforward.experiments.tighter_bounds import digits
    from pushforward.training.fit import fit

    train, validation, _ = digits.splits(data)
    torch.manual_seed(seed)
    vae = digits.build("vae", {}, train.shape)
    fit(vae, Stream({"data": train}, batch_size=digits.BATCH, seed=seed), YOUNG)
    algorithm = digits.build(method, options, train.shape)
    algorithm.load_state_dict(vae.state_dict())
    return algorithm, digits.binary(validation)[:IMAGES]


def _trained(cell: Cell) -> dict[str, float]:
    from pushforward.experiments.tighter_bounds import digits

    asked = cell.options
    train, validation, test = digits.splits(asked["data"])
    torch.manual_seed(cell.seed)
    algorithm = digits.build(METHODS[cell.method][0], options_of(cell.method, asked["k"]), train.shape)
    at = digits.trained(algorithm, train, validation, steps=asked["steps"], seed=cell.seed)
    x = digits.binary(test)
    told = digits.bound(algorithm, x, draws=asked["draws"])
    return {
        NLL: -float(told.value.mean()),
        OVER_IMAGES: float(told.value.std()) / math.sqrt(len(x)),
        GAP: float((told.value - digits.elbo(algorithm, x)).mean()),
        COUNT: float(told.ess.mean()),
        STEPS: float(asked["steps"]),
        BEST: float(at),
    }


RAINFORTH = "Rainforth et al. 2018, MNIST"
PAPERS: Mapping[FigureKey, Published] = {
    (IWAE, DIGITS, NLL): Published(84.78, "Burda et al. 2016, one layer, k = 50"),
    (CIWAE, DIGITS, NLL): Published(84.57, RAINFORTH),
    (PIWAE, DIGITS, NLL): Published(84.46, RAINFORTH),
}


def claims(budget: Budget) -> list[Claim]:
    """What is checked."""
    # Not loaded while cells run, so that a claim or a picture can be worded anew without running them again.
    from pushforward.experiments.tighter_bounds.checks import all_claims

    return all_claims()


def plot(results: Results) -> Any:
    """Signal to noise over k, and the likelihoods."""
    from pushforward.experiments.tighter_bounds.picture import draw

    return draw(results)


EXPERIMENT = Experiment(
    name="tighter-bounds",
    title="A tighter bound is no better teacher of an encoder, and three remedies",
    about=ABOUT,
    source="Rainforth et al. 2018; Tucker et al. 2019",
    cells=cells,
    cells_on=cells,
    run=run,
    figures={
        ENCODER: Figure(),
        DECODER: Figure(),
        NLL: Figure("nats/image"),
        OVER_IMAGES: Figure("nats/image"),
        GAP: Figure("nats/image"),
        COUNT: Figure("of the draws"),
        STEPS: Figure(),
        BEST: Figure(),
    },
    claims=claims,
    published=PAPERS,
    seeds={"quick": 3, "full": 5},
    plot=plot,
)
