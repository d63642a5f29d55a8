"""The table of experiments: a name -> the module that defines it. Torch-free, so that listing is instant."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

from pushforward.errors import UserError, did_you_mean
from pushforward.experiments.harness.experiment import Experiment


@dataclass(frozen=True)
class Entry:
    """One experiment. module: where its `EXPERIMENT` is. summary: a line for the listing.

    minutes: of its quick budget on two cores: half the seconds of its cells in docs/results, each of which
    ran on one core of the machine that its page names. None where it was not run as a whole yet, and no
    result is kept.
    """

    name: str
    module: str
    summary: str
    minutes: float | None


EXPERIMENTS = {
    entry.name: entry
    for entry in (
        Entry(
            "gaussian-mse",
            "pushforward.experiments.gaussian_mse",
            "a Gaussian decoder with fixed σ is squared error; with a learned σ it is not",
            1.0,
        ),
        Entry(
            "bernoulli-bce",
            "pushforward.experiments.bernoulli_bce",
            "a Bernoulli decoder is cross-entropy on binary images; on grey ones it is no likelihood",
            0.1,
        ),
        Entry(
            "beta-frontier",
            "pushforward.experiments.beta_frontier",
            "β is the slope of a rate-distortion curve, and a bound on either side finds it",
            7,
        ),
        Entry(
            "aggregate-posterior",
            "pushforward.experiments.aggregate_posterior",
            "a mixture fitted to the codes lets an autoencoder sample, and a VAE sample better",
            4,
        ),
        Entry(
            "gradient-variance",
            "pushforward.experiments.gradient_variance",
            "which estimator of a gradient is least noisy depends on the function; held against quadrature",
            3,
        ),
        Entry(
            "gumbel-softmax",
            "pushforward.experiments.gumbel_softmax",
            "a relaxed draw beats an unbiased noisy gradient through discrete units",
            16,
        ),
        Entry(
            "tighter-bounds",
            "pushforward.experiments.tighter_bounds",
            "a bound of more samples is no better teacher of an encoder; three remedies, on equal minutes",
            30,
        ),
        Entry(
            "earth-mover",
            "pushforward.experiments.earth_mover",
            "the earth-mover's distance is the cheapest plan and the best critic, by trying all of them",
            0.0,
        ),
        Entry(
            "js-vs-wasserstein",
            "pushforward.experiments.js_vs_wasserstein",
            "far from the data JS gives no gradient and W₁ the slope 1, by formula and with trained networks",
            33,
        ),
        Entry(
            "convergence",
            "pushforward.experiments.convergence",
            "GANs circle, noise and R1 converge, two time scales alone do not: the Dirac-GAN, exactly",
            0.2,
        ),
        Entry(
            "dag-theory",
            "pushforward.experiments.dag_theory",
            "a head for each transform keeps a GAN's optimum at the data; one head or augmented data move it",
            1.2,
        ),
        Entry(
            "dying-relu",
            "pushforward.experiments.dying_relu",
            "a generator's ReLU units die of a high rate or a low bias, and leaky ones wake up",
            25,
        ),
        Entry(
            "mode-collapse",
            "pushforward.experiments.mode_collapse",
            "remedies for mode collapse side by side under one loop, beside the papers' tables",
            27,
        ),
        Entry(
            "every-mode",
            "pushforward.experiments.every_mode",
            "with room and time a remedy finds every mode, nearly as well as the mixture itself",
            16,
        ),
        Entry(
            "adagan",
            "pushforward.experiments.adagan",
            "boosting covers the modes that one small GAN of its kind misses",
            20,
        ),
        Entry(
            "metric-sanity",
            "pushforward.experiments.metric_sanity",
            "what each measure of image quality sees of blur, noise, missing classes, repeats and copies",
            8,
        ),
        Entry(
            "stacked-mnist",
            "pushforward.experiments.stacked_mnist",
            "which of 1,000 modes each remedy finds, beside the papers' tables",
            15,
        ),
        Entry(
            "wgan-loss-tracks-quality",
            "pushforward.experiments.wgan_loss",
            "whether a critic's loss falls as samples become better: a Wasserstein critic's, and a GAN's",
            18,
        ),
        Entry(
            "vae-vs-gan",
            "pushforward.experiments.vae_vs_gan",
            "autoencoders and GANs on equal data, sizes and minutes: which is better at what, and why",
            45,
        ),
        Entry(
            "few-images",
            "pushforward.experiments.few_images",
            "every remedy for few images side by side, at equal images and at equal minutes",
            98,
        ),
        Entry(
            "augmentation-utility",
            "pushforward.experiments.augmentation_utility",
            "what generated images are worth to a classifier with few labels",
            20,
        ),
    )
}


def find_entry(name: str) -> Entry:
    """The entry of that name. Raises UserError with the nearest name and the whole list."""
    if name not in EXPERIMENTS:
        raise UserError(
            f"NAME: there is no experiment '{name}'{did_you_mean(name, EXPERIMENTS)}. "
            f"Known: {', '.join(EXPERIMENTS)}"
        )
    return EXPERIMENTS[name]


def load_experiment(module: str) -> Experiment:
    """Import the module and return its `EXPERIMENT` (this may import torch)."""
    experiment: Experiment = importlib.import_module(module).EXPERIMENT
    return experiment
