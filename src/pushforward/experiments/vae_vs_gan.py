"""Autoencoders and GANs on equal terms: what each is better at, and by which mechanism.

A. Genevay, G. Peyré and M. Cuturi, *GAN and VAE from an optimal transport point of view*, 2017; A. Srivastava
et al., *VEEGAN*, NIPS 2017 (inversion); M. Jiralerspong et al., *Feature Likelihood Divergence*, NeurIPS 2023
(memorisation).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pushforward.experiments.covering import DIVERGENCES, JS, KL
from pushforward.experiments.harness.experiment import (
    Budget,
    Cell,
    Claim,
    Experiment,
    Figure,
    Incomplete,
    Results,
)

AE, VAE, GAN, R3GAN, REAL = "AE + mixture", "VAE", "GAN", "R3GAN", "real images"
GANS: Mapping[str, Any] = {"network": "dcgan", "width": 16, "latent_dim": 64}
AUTO: Mapping[str, Any] = {"network": "conv", "width": 16, "latent_dim": 32, "lr": 1e-3}
# Of each: method, options, and milliseconds of processor time that a step of 64 images of 16 x 16 pixels
# took, # in turn with the others, on an AMD EPYC without AMX whose two threads were busy. The steps of a run
# follow from # them, so that all have the same time anywhere.
METHODS: Mapping[str, tuple[str, Mapping[str, Any], float]] = {
    AE: ("ae", AUTO, 17.0),
    VAE: ("vae", {**AUTO, "latent_dim": 24}, 18.0),
    GAN: ("gan", {**GANS, "critic_norm": "batch", "lr": 2e-4, "ema": 0.999}, 35.0),
    R3GAN: ("r3gan", {**GANS, "generator_norm": "batch", "lr": 5e-4, "gamma": 0.5}, 52.0),
}
SECONDS = {"quick": 60, "full": 1200}
SIDE = {"quick": 16, "full": 32}  # pixels
BATCH = 64
DRAWN, INVERTED, BOUNDED = 1000, 48, 200  # samples; held-out images that are inverted, and that are bounded
SETS: Mapping[Budget, Mapping[str, Sequence[int]]] = {
    "quick": {"fashion-mnist": (100, 1000, 0)},
    "full": {"fashion-mnist": (100, 1000, 0), "mnist5k": (100, 1000, 0), "orl-faces": (100, 0)},
}
MECHANISM = "two modes in the plane"
UNITS: Mapping[str, str] = {
    "MIND": "feature units²",
    "P-precision": "share",
    "P-recall": "share",
    "coverage": "share",
    "sharpness": "of real images'",
    "FLD gap": "nats/100 features",
    "closer to train": "share",
    "inversion error": "of the variance",
    "Sinkhorn": "pixel distance²",
    "ln p(x)": "nats",
    "parameters": "thousands",
    "seconds": "s",
    "good": "%",
    "covered": "%",
    "left": "",
}
ABOUT = f"""\
Four methods with networks of nearly the same size learn from the same images for the same processor time:
{SECONDS["quick"]} seconds of one thread (quick), or about an hour (full). Images are grey, of 16 × 16 pixels
(quick) or 32 × 32 (full). *AE + mixture* draws codes from a mixture of ten Gaussians, fitted to the codes of
the training images. *Real images* are {DRAWN:,} others, which no run learns from, in place of samples.

- *MIND*, *P-precision* (fidelity), *P-recall* and *coverage* are on EfficientNet-Lite0's features, against
  held-out images, {DRAWN:,} of each where there are as many.
- *Sharpness* is that of samples over that of held-out images. *Inversion error* is what the best code of
  {INVERTED} held-out images misses, over the variance of their pixels.
- *FLD gap* and *closer to train* tell copies of training images: a negative gap, a share over one half.
- *Sinkhorn* is the divergence of pixels with a plan whose entropy weighs 5 % of the median squared distance:
  the yardstick that a VAE (primal) and a GAN (dual) have in common.
- *ln p(x)* is an importance-weighted bound (k = 16) of {BOUNDED} held-out images. Only the VAE has one.

The mechanism, without any network: one Gaussian is fitted to two far modes in the plane. *Good* is its mass
within 3σ of a mode, *covered* the mass of the data that it is not far too thin on. Both are exact integrals.
"""


def cells(budget: Budget, seeds: Sequence[int]) -> list[Cell]:
    """The mechanism, then each method on each number of images of each set, and real images."""
    plan = [Cell(name, MECHANISM, seed) for name in DIVERGENCES for seed in seeds]
    for data, sizes in SETS[budget].items():
        for n in sizes:
            for label in (REAL, *METHODS):
                asked: dict[str, Any] = {"data": data, "n": n, "side": SIDE[budget]}
                if label in METHODS:
                    method, options, milliseconds = METHODS[label]
                    steps = round(1000 * SECONDS[budget] / milliseconds)
                    asked |= {"method": method, "options": dict(options), "steps": steps}
                plan += [Cell(label, _setting(data, n), seed, asked) for seed in seeds]
    return plan


def _setting(data: str, n: int) -> str:
    return f"{data}, {n:,} images" if n else f"{data}, all images"


def run(cell: Cell) -> dict[str, float]:
    """Train one and measure it from all sides; or fit the Gaussian."""
    if cell.setting == MECHANISM:
        from pushforward.experiments.covering import fitted

        return fitted(cell.method, cell.seed)
    from pushforward.experiments.sides import measured

    return measured(cell, batch=BATCH, drawn=DRAWN, inverted=INVERTED, bounded=BOUNDED)


def _settings(results: Results) -> list[str]:
    found = dict.fromkeys(cell.setting for cell in results.figures if cell.setting != MECHANISM)
    return list(found)


def _least(results: Results, figure: str, better: str, worse: str, sign: float) -> float:
    """By how much the one is ahead of the other where it is least so, in the mean over seeds."""
    settings = _settings(results)
    if not settings:
        raise Incomplete("no model was trained")
    return min(sign * (results.mean(figure, better, at) - results.mean(figure, worse, at)) for at in settings)


def claims(budget: Budget) -> list[Claim]:
    """The mechanism is required; who is ahead on images is what the experiment finds."""
    return [
        Claim("mechanism: KL covers both modes, per cent", lambda r: min(r.all("covered", KL)), ">=", 99),
        Claim("mechanism: and wastes mass between them", lambda r: max(r.all("good", KL)), "<=", 60),
        Claim("mechanism: JS covers one of two far modes", lambda r: max(r.all("covered", JS)), "<=", 55),
        Claim("mechanism: and wastes none", lambda r: min(r.all("good", JS)), ">=", 98),
        Claim(
            "the GAN's samples are sharper than the VAE's everywhere, by",
            lambda r: _least(r, "sharpness", GAN, VAE, 1.0),
            ">=",
            0.1,
            required=False,
        ),
        Claim(
            "the VAE's range holds held-out images better than the GAN's everywhere, by",
            lambda r: _least(r, "inversion error", VAE, GAN, -1.0),
            ">=",
            0.0,
            required=False,
        ),
        Claim(
            "the VAE is nearer in pixels (Sinkhorn) than the GAN everywhere, by",
            lambda r: _least(r, "Sinkhorn", VAE, GAN, -1.0),
            ">=",
            0.0,
            required=False,
        ),
        Claim(
            "R3GAN is nearer in features (MIND) than the VAE everywhere, by",
            lambda r: _least(r, "MIND", R3GAN, VAE, -1.0),
            ">=",
            0.0,
            required=False,
        ),
        Claim(
            "control: real images are nearer than any samples everywhere, by",
            lambda r: min(_least(r, "MIND", REAL, label, -1.0) for label in METHODS),
            ">=",
            0.0,
        ),
    ]


SHOWN = ("MIND", "P-precision", "P-recall", "sharpness", "inversion error", "Sinkhorn")


def plot(results: Results) -> Any:
    """A row a measure, a column a set; a dot a seed, and a line for real images."""
    from matplotlib.figure import Figure as Canvas

    settings = _settings(results)
    canvas = Canvas(figsize=(3.2 * len(settings), 11), layout="constrained")
    axes = canvas.subplots(len(SHOWN), len(settings), sharey="row", squeeze=False)
    for column, setting in enumerate(settings):
        for axis, figure in zip(axes[:, column], SHOWN, strict=True):
            for x, label in enumerate(METHODS):
                values = results.values(figure, label, setting)
                axis.plot([x] * len(values), values, "o", ms=6, alpha=0.75, color="#0b6e99")
            if figure not in ("inversion error", "sharpness"):
                axis.axhline(results.mean(figure, REAL, setting), color="#8c8c8c", lw=1, ls="--")
            axis.set_xlim(-0.5, len(METHODS) - 0.5)
            axis.set_xticks(range(len(METHODS)), ["AE", *list(METHODS)[1:]])
            axis.spines[["top", "right"]].set_visible(False)
            axis.grid(axis="y", color="#ededed")
        axes[0, column].set_title(setting, fontsize=10)
    for axis, figure in zip(axes[:, 0], SHOWN, strict=True):
        axis.set_ylabel(f"{figure}\n{UNITS[figure]}", fontsize=9)
    return canvas


EXPERIMENT = Experiment(
    name="vae-vs-gan",
    title="Is one better? Autoencoders and GANs on equal terms",
    about=ABOUT,
    source="Genevay, Peyré and Cuturi 2017",
    cells=cells,
    run=run,
    figures={name: Figure(unit) for name, unit in UNITS.items()},
    claims=claims,
    seeds={"quick": 3, "full": 5},
    plot=plot,
)
