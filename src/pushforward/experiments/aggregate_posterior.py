"""Samples from a mixture fitted to the codes, beside samples from the prior.

P. Ghosh et al., *From Variational to Deterministic Autoencoders*, ICLR 2020: ex-post density estimation.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pushforward.core import to_float
from pushforward.data import Dataset, Stream, load_splits
from pushforward.experiments.harness.experiment import Budget, Cell, Claim, Experiment, Figure, Results
from pushforward.features.pixels import pixel_components
from pushforward.methods import recipe_class
from pushforward.metrics.frechet import frechet_distance
from pushforward.models.model import Model
from pushforward.training.fit import fit

METHODS = ("ae", "vae", "beta-vae")
PRIOR, AGGREGATE, CODES, TEST = "N(0, 1)", "mixture of 10", "reconstructions", "test images"
DRAWS = 2000
FEATURES = 50
ABOUT = """\
An autoencoder's codes have no distribution: to decode N(0, 1) is to ask the decoder about codes that it
never saw. A Gaussian mixture fitted to the codes of the training images answers that. A VAE's codes are drawn
towards its prior, but the aggregate of its posteriors is not the prior either.

Each figure is the Fréchet distance between 2,000 samples and the training images, on the 50 principal
components of pixels in [−1, 1]: it sees pose, thickness and blur, not whether a digit is one. Two figures say
what to expect of the others: that of the 484 test images, and that of their reconstructions. Being fewer than
2,000 they are put a little too far.

784-256-10 and back on 4,516 digits, Bernoulli with dynamic binarization, Adam 1e-3, batches of 100; β = 4.
"""


def cells(budget: Budget, seeds: Sequence[int]) -> list[Cell]:
    """One training of each method; its cell gives the distances of all its samplers."""
    size = {"steps": {"quick": 2500, "full": 20_000}[budget]}
    return [Cell(method, "", seed, size) for method in METHODS for seed in seeds]


def run(cell: Cell) -> dict[str, float]:
    """The distances of one trained model's samples."""
    splits = load_splits("mnist5k")
    real = to_float(splits.train.x)
    features = pixel_components(real, components=FEATURES)
    model = _fit(splits.train, cell)
    mixture = model.aggregate(splits.train.x, seed=cell.seed)
    z = torch.randn(DRAWS, 10, generator=torch.Generator().manual_seed(cell.seed))
    images = {
        PRIOR: model.decode(z),
        AGGREGATE: model.sample_aggregate(DRAWS, mixture, seed=cell.seed),
        CODES: model.reconstruct(splits.test.x),
        TEST: to_float(splits.test.x),
    }
    return {name: frechet_distance(features(x), features(real)) for name, x in images.items()}


def _fit(images: Dataset, cell: Cell) -> Model:
    torch.manual_seed(cell.seed)
    recipe = recipe_class(cell.method)(likelihood="bernoulli", hidden=(256,), latent_dim=10)
    algorithm = recipe.build(images.shape)
    fit(algorithm, Stream({"data": images}, batch_size=100, seed=cell.seed), cell.options["steps"])
    return Model(algorithm, {"method": cell.method, "shape": images.shape, "step": cell.options["steps"]})


def _ratio(results: Results, method: str) -> float:
    return results.mean(AGGREGATE, method) / results.mean(PRIOR, method)


def claims(budget: Budget) -> list[Claim]:
    """What the fit is worth."""
    return [
        Claim("ae: the mixture is at most half as far as N(0, 1)", lambda r: _ratio(r, "ae"), "<=", 0.5),
        Claim("vae: the mixture is no farther than the prior", lambda r: _ratio(r, "vae"), "<=", 1.0),
        Claim(
            "ae: with the mixture it is no farther than the VAE with its prior",
            lambda r: r.mean(AGGREGATE, "ae") / r.mean(PRIOR, "vae"),
            "<=",
            1.0,
            required=False,
        ),
        Claim(
            "control: the test images are nearer than any samples",
            lambda r: max(r.all(TEST)) / min(*r.all(PRIOR), *r.all(AGGREGATE)),
            "<=",
            1.0,
        ),
    ]


EXPERIMENT = Experiment(
    name="aggregate-posterior",
    title="A mixture fitted to the codes lets an autoencoder sample, and a VAE sample better",
    about=ABOUT,
    source="Ghosh et al. 2020",
    cells=cells,
    run=run,
    figures=dict.fromkeys((PRIOR, AGGREGATE, CODES, TEST), Figure("Fréchet distance, pixel PCA")),
    claims=claims,
)
