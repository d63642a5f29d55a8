"""A Bernoulli decoder is binary cross-entropy summed over pixels; on grey images that is no likelihood.

What is missing there is the normaliser of G. Loaiza-Ganem and J. P. Cunningham, *The Continuous Bernoulli:
Fixing a Pervasive Error in Variational Autoencoders*, NeurIPS 2019.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from scipy.integrate import quad
from scipy.special import expit
from torch import Tensor

from pushforward.distributions import Bernoulli
from pushforward.experiments.equivalence import (
    digits,
    gradient,
    minimise,
    principal_scores,
    relative_difference,
)
from pushforward.experiments.harness.experiment import Budget, Cell, Claim, Experiment, Figure, Results
from pushforward.networks.mlp import mlp_decoder

PROBABILITIES = (0.5, 0.9, 0.99, 0.999)
CODES = 4
BINARY, GREY = "binary images", "grey images"
ABOUT = """\
For a binary pixel t and a decoded probability p, −ln p(t|z) = −t ln p − (1 − t) ln(1 − p), which is
binary cross-entropy: no constant is left out, so gradients, optima and values agree, and the masses of
all images sum to one. The sum over pixels belongs to it: a mean over pixels divides the reconstruction by
their number and leaves the KL as it is.

On a grey pixel t in [0, 1] cross-entropy can still be computed, and its optimum is still p = E[t]. But
exp(−cross-entropy) is no density: its integral over [0, 1] is (1 − 2p)/(2 artanh(1 − 2p)), at most ½ (at
p = ½) and less the surer the decoder is. So "nats" of cross-entropy on grey images are no likelihood and
compare with none; and the density that one gets by dividing by that integral (the continuous Bernoulli)
has its optimum elsewhere.
"""


def cells(budget: Budget, seeds: Sequence[int]) -> list[Cell]:
    """`quick` fits on 1,000 digits, `full` on 4,000. What involves no draw is done once."""
    size = {"images": {"quick": 1000, "full": 4000}[budget]}
    drawn = [
        ("gradient", "sum over pixels", {}),
        ("gradient", "mean over pixels", {}),
        ("regression", BINARY, size),
        ("mass of all images", "3 × 3 binary pixels", {}),
        ("mass of all images", GREY, size),
        ("constant decoder", GREY, size),
    ]
    fixed = [("mass of a grey pixel", f"p = {p:g}", {"p": p}) for p in PROBABILITIES]
    return [
        *(Cell(method, setting, seed, options) for method, setting, options in drawn for seed in seeds),
        *(Cell(method, setting, 0, options) for method, setting, options in fixed),
    ]


def run(cell: Cell) -> dict[str, float]:
    """One comparison."""
    kinds: dict[str, Callable[[Cell], dict[str, float]]] = {
        "gradient": _gradient,
        "regression": _regression,
        "mass of all images": _mass_of_grey_images if cell.setting == GREY else _mass_of_binary_images,
        "mass of a grey pixel": _mass_of_a_pixel,
        "constant decoder": _constant_decoder,
    }
    return kinds[cell.method](cell)


def cross_entropy(logits: Tensor, t: Tensor) -> Tensor:
    """-t ln p - (1 - t) ln(1 - p), written out, without the library's likelihood or torch's."""
    p = 1 / (1 + torch.exp(-logits))
    return -t * torch.log(p) - (1 - t) * torch.log(1 - p)


def _binary_digits(n: int, *, seed: int) -> Float[Tensor, "n 1 28 28"]:
    grey = digits(n, seed=seed)
    return (torch.rand_like(grey) < (grey + 1) / 2).double() * 2 - 1


def _gradient(cell: Cell) -> dict[str, float]:
    """By the parameters of a two-layer decoder at its initialisation, on a batch of 64 binarized images."""
    x, z = _binary_digits(64, seed=cell.seed), torch.randn(64, CODES, dtype=torch.float64)
    decoder = mlp_decoder(CODES, (32,), (1, 28, 28)).double()
    ours = gradient(-Bernoulli(binarization="static").log_prob(decoder(z), x).sum(), decoder)
    per_pixel = cross_entropy(decoder(z), (x + 1) / 2).flatten(1)
    per_image = per_pixel.mean(1) if cell.setting == "mean over pixels" else per_pixel.sum(1)
    return {"gradient difference": relative_difference(gradient(per_image.sum(), decoder), ours)}


def _regression(cell: Cell) -> dict[str, float]:
    """A linear decoder of given codes, by L-BFGS on -ln p, against Newton's method on cross-entropy.

    Only pixels that are on in 20 to 80 % of the images: those that hardly vary have no finite optimum.
    """
    x = _binary_digits(cell.options["images"], seed=cell.seed)
    z = torch.nn.functional.pad(principal_scores(x.flatten(1), CODES), (0, 1), value=1.0)
    share = (x.flatten(1) > 0).double().mean(0)
    pixels = ((share > 0.2) & (share < 0.8)).nonzero().squeeze(1)
    x = x.flatten(1)[:, pixels]
    likelihood = Bernoulli(binarization="static")
    weights = torch.zeros(z.shape[1], len(pixels), dtype=torch.float64, requires_grad=True)

    def loss() -> Tensor:
        return -likelihood.log_prob((z @ weights)[:, None, None], x[:, None, None]).mean()

    minimise(loss, [weights])
    newton = _newton(z, (x + 1) / 2)
    return {"optimum off cross-entropy's": relative_difference([weights], [newton])}


def _newton(z: Float[Tensor, "n k"], t: Float[Tensor, "n d"], steps: int = 25) -> Float[Tensor, "k d"]:
    """Logistic regression of every column of t on z by iteratively re-weighted least squares."""
    weights = torch.zeros(z.shape[1], t.shape[1], dtype=torch.float64)
    for _ in range(steps):
        p = torch.sigmoid(z @ weights)
        curvature = torch.einsum("nk,nd,nl->dkl", z, p * (1 - p), z)
        weights = weights + torch.linalg.solve(curvature, (z.T @ (t - p)).T).T
    return weights


def _mass_of_binary_images(cell: Cell) -> dict[str, float]:
    """All 512 images of 3 × 3 binary pixels, under random logits."""
    bits = torch.arange(512)[:, None] >> torch.arange(9) & 1
    images = (bits.double() * 2 - 1).view(512, 1, 3, 3)
    logits = 2 * torch.randn(1, 1, 3, 3, dtype=torch.float64)
    log_mass = Bernoulli(binarization="static").log_prob(logits.expand_as(images), images)
    return {"mass": float(log_mass.exp().sum())}


def _mass_of_a_pixel(cell: Cell) -> dict[str, float]:
    """exp(ln p) of the library's Bernoulli over t in [0, 1], by adaptive quadrature."""
    p = cell.options["p"]
    likelihood = Bernoulli(binarization="none")
    logit = torch.full((1, 1, 1, 1), math.log(p / (1 - p)), dtype=torch.float64)

    def density(t: float) -> float:
        return float(likelihood.log_prob(logit, torch.full_like(logit, 2 * t - 1)).exp())

    mass, _ = quad(density, 0, 1, epsabs=1e-10)
    return {"mass": mass, "mass in closed form": _normaliser(p)}


def _normaliser(p: float) -> float:
    """∫₀¹ pᵗ(1 - p)¹⁻ᵗ dt = (1 - 2p)/(2 artanh(1 - 2p)). Loaiza-Ganem & Cunningham 2019."""
    return 0.5 if p == 0.5 else (1 - 2 * p) / (2 * math.atanh(1 - 2 * p))


def _mean_image(cell: Cell) -> np.ndarray:
    """The mean grey level of each pixel in (0, 1), with half a white and half a black image added."""
    t = (digits(cell.options["images"], seed=cell.seed).flatten(1) + 1) / 2
    return ((t.sum(0) + 0.5) / (len(t) + 1)).numpy()


def _mass_of_grey_images(cell: Cell) -> dict[str, float]:
    """ln ∫ exp(-cross-entropy) over grey images, under the best decoder that knows only the mean image."""
    return {"log mass": sum(math.log(_normaliser(float(p))) for p in _mean_image(cell))}


def _constant_decoder(cell: Cell) -> dict[str, float]:
    """The best p of each pixel by cross-entropy (its mean) against the best one by the normalised density."""
    means = _mean_image(cell)
    best = np.array([_continuous_bernoulli_optimum(float(m)) for m in means])
    return {"optimum off cross-entropy's": float(np.linalg.norm(best - means) / np.linalg.norm(means))}


def _continuous_bernoulli_optimum(mean: float) -> float:
    """The p = 1/(1 + e^-η) for which the normalised density has this mean, 1/(1 - e^-η) - 1/η: bisection."""

    def expected(eta: float) -> float:
        if abs(eta) < 1e-4:
            return 0.5 + eta / 12
        return (math.exp(eta) / math.expm1(eta) if eta < 0 else -1 / math.expm1(-eta)) - 1 / eta

    low, high = -1e5, 1e5
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if expected(middle) < mean else (low, middle)
    return float(expit(low))


def claims(budget: Budget) -> list[Claim]:
    """What the equivalence says, and where it ends."""
    pixels = [f"p = {p:g}" for p in PROBABILITIES]

    def of_pixels(results: Results, figure: str) -> list[float]:
        return [results.mean(figure, "mass of a grey pixel", setting) for setting in pixels]

    return [
        Claim(
            "binary images: the gradients of −ln p and of cross-entropy summed over pixels are equal",
            lambda r: max(r.values("gradient difference", "gradient", "sum over pixels")),
            "<=",
            1e-6,
        ),
        Claim(
            "binary images: the mean over pixels is another objective",
            lambda r: min(r.values("gradient difference", "gradient", "mean over pixels")),
            ">=",
            0.9,
        ),
        Claim(
            "binary images: both have the same optimum",
            lambda r: max(r.values("optimum off cross-entropy's", "regression", BINARY)),
            "<=",
            1e-4,
        ),
        Claim(
            "binary images: the masses sum to one",
            lambda r: max(abs(v - 1) for v in r.values("mass", "mass of all images", "3 × 3 binary pixels")),
            "<=",
            1e-6,
        ),
        Claim(
            "grey pixels: the integral over [0, 1] is never more than a half",
            lambda r: max(of_pixels(r, "mass")),
            "<=",
            0.5 + 1e-6,
        ),
        Claim(
            "grey pixels: the quadrature agrees with the closed form",
            lambda r: max(
                abs(a - b)
                for a, b in zip(of_pixels(r, "mass"), of_pixels(r, "mass in closed form"), strict=True)
            ),
            "<=",
            1e-6,
        ),
        Claim(
            "grey images: the missing constant is hundreds of nats an image",
            lambda r: max(r.values("log mass", "mass of all images", GREY)),
            "<=",
            -100.0,
        ),
        Claim(
            "grey images: the normalised density has another optimum",
            lambda r: min(r.values("optimum off cross-entropy's", "constant decoder", GREY)),
            ">=",
            0.05,
        ),
    ]


EXPERIMENT = Experiment(
    name="bernoulli-bce",
    title="A Bernoulli decoder is cross-entropy on binary images; on grey ones it is no likelihood",
    about=ABOUT,
    source="Kingma & Welling 2014, appendix C.1; Loaiza-Ganem & Cunningham 2019",
    cells=cells,
    run=run,
    figures={
        "gradient difference": Figure("relative"),
        "optimum off cross-entropy's": Figure("relative"),
        "mass": Figure(),
        "mass in closed form": Figure(),
        "log mass": Figure("nats/image"),
    },
    claims=claims,
)
