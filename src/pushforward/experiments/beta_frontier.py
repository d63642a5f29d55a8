"""The β-VAE's rate-distortion curve, and multipliers that find their way back to it.

I. Higgins et al., *β-VAE*, ICLR 2017, eq. 3 and 4; the curve: A. A. Alemi et al., *Fixing a Broken ELBO*,
ICML 2018.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import fmean
from typing import Any

import torch

from pushforward.algorithms.beta_vae import BetaVAE
from pushforward.core import to_float
from pushforward.data import Dataset, Stream, load_splits
from pushforward.experiments.harness.experiment import Budget, Cell, Claim, Experiment, Figure, Results
from pushforward.objectives.elbo import gaussian_kl, reparameterize
from pushforward.recipes.beta_vae import BetaVAERecipe
from pushforward.training.fit import fit

BETAS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
FOUND_AGAIN = (1.0, 4.0)
FIXED, LEARNED, GECO = "β fixed", "β learned", "GECO"
DRAWS = 20  # of pixels and codes, of each test image
ABOUT = """\
Each fixed β is the multiplier of a constraint KL ≤ δ that it leads to. So the runs of growing β trace a curve
of less rate R = E[KL(q(z|x) ‖ p(z))] against more distortion D = E[−ln p(x|z)]. Where training has converged
the curve is convex with slope −β: between neighbouring runs it lies between their two β.

Then the question is turned around. `--delta` is given the rate of a fixed β in training, and has to learn
that β; `--geco` is given its distortion. Each is to come out where the fixed β did: D + βR on test images
measures how far off the curve, since along it D + βR does not change to first order. At the optimum the
multiplier is complementary, β (KL − δ) = 0. A multiplier that settled elsewhere would refute this.

784-256-10 and back on 4,516 digits, Bernoulli with dynamic binarization, Adam 1e-3, batches of 100. Rates and
distortions "in training" are means over the last tenth of the run.
"""


def label(beta: float) -> str:
    """The setting of a β, fixed or to be found."""
    return f"β = {beta:g}"


def cells(budget: Budget, seeds: Sequence[int]) -> list[Cell]:
    """The curve, and two points on it to be found again in two ways."""
    size = {"steps": {"quick": 4000, "full": 20_000}[budget]}
    settings = [(FIXED, beta) for beta in BETAS]
    settings += [(method, beta) for method in (LEARNED, GECO) for beta in FOUND_AGAIN]
    return [Cell(method, label(b), seed, {"β": b, **size}) for method, b in settings for seed in seeds]


def run(cell: Cell) -> dict[str, float]:
    """One run; of a learned multiplier also the one of fixed β before it, that says what to constrain."""
    splits = load_splits("mnist5k")
    beta = cell.options["β"]
    model, end = _fit(splits.train, cell, beta=beta)
    rate, distortion = _evaluate(model, splits.test)
    if cell.method == FIXED:
        return {
            "rate": rate,
            "distortion": distortion,
            "rate in training": end["kl"],
            "distortion in training": end["reconstruction"],
        }
    bound = {"delta": end["kl"]} if cell.method == LEARNED else {"geco": end["reconstruction"]}
    found, found_end = _fit(splits.train, cell, **bound)
    found_rate, found_distortion = _evaluate(found, splits.test)
    return {
        "rate": found_rate,
        "distortion": found_distortion,
        "rate in training": found_end["kl"],
        "distortion in training": found_end["reconstruction"],
        "β found": found_end["beta"],
        "β found / β": found_end["beta"] / beta,
        "off the curve": found_distortion + beta * found_rate - distortion - beta * rate,
        "slackness": found_end["slackness"],
    }


def _fit(images: Dataset, cell: Cell, **options: Any) -> tuple[BetaVAE, dict[str, float]]:
    torch.manual_seed(cell.seed)
    recipe = BetaVAERecipe(likelihood="bernoulli", hidden=(256,), latent_dim=10, **options)
    model = recipe.build(images.shape)
    return model, fit(model, Stream({"data": images}, batch_size=100, seed=cell.seed), cell.options["steps"])


@torch.no_grad()
def _evaluate(model: BetaVAE, images: Dataset) -> tuple[float, float]:
    """Rate and distortion in nats an image, the same pixels and noise for every model."""
    torch.manual_seed(0)
    rates, distortions = [], []
    for _ in range(DRAWS):
        x = model.likelihood.prepare(to_float(images.x))
        mu, log_var = model.posterior(x)
        decoded = model.decoder(reparameterize(mu, log_var))
        rates.append(gaussian_kl(mu, log_var).sum(1).mean().item())
        distortions.append(-model.likelihood.log_prob(decoded, x).mean().item())
    return fmean(rates), fmean(distortions)


def _neighbours(results: Results, figure: str) -> list[float]:
    """From each β to the next larger, the change of a mean figure."""
    return [
        results.mean(figure, FIXED, label(b)) - results.mean(figure, FIXED, label(a))
        for a, b in pairwise(BETAS)
    ]


def _slopes(results: Results) -> list[float]:
    """How far each chord's slope -ΔD/ΔR lies outside its two β, relative to the nearer one; 0 for inside."""
    outside = []
    chords = zip(
        _neighbours(results, "distortion in training"), _neighbours(results, "rate in training"), strict=True
    )
    for (a, b), (more, less) in zip(pairwise(BETAS), chords, strict=True):
        if more <= 0 or less >= 0:  # the curve does not even fall
            outside.append(math.inf)
            continue
        slope = more / -less
        outside.append(max(0.0, a / slope - 1, slope / b - 1))
    return outside


def _found(figure: str, method: str, of: Callable[[float], float] = abs) -> Callable[[Results], float]:
    """The largest over the two β of a figure's mean over seeds."""
    return lambda results: max(of(results.mean(figure, method, label(b))) for b in FOUND_AGAIN)


def claims(budget: Budget) -> list[Claim]:
    """The curve, and the way back to it."""
    curve = [
        Claim("rate falls from each β to the next", lambda r: max(_neighbours(r, "rate")), "<=", 0.0),
        Claim(
            "distortion rises from each β to the next", lambda r: min(_neighbours(r, "distortion")), ">=", 0.0
        ),
        Claim(
            "the curve's slope between neighbours lies between their β, to 15 %",
            lambda r: max(_slopes(r)),
            "<=",
            0.15,
        ),
        Claim(
            "control: β = 1 and β = 4 are far apart on the curve, in nats of rate",
            lambda r: r.mean("rate", FIXED, label(1.0)) - r.mean("rate", FIXED, label(4.0)),
            ">=",
            5.0,
        ),
    ]
    back = [
        claim
        for method, given in ((LEARNED, "the rate"), (GECO, "the distortion"))
        for claim in (
            Claim(
                f"{method}: given {given} of a fixed β, that β is learned to 25 %",
                _found("β found / β", method, lambda ratio: max(ratio, 1 / ratio) - 1),
                "<=",
                0.25,
            ),
            Claim(
                f"{method}: the run lies on the curve, to 1.5 nats of D + βR",
                _found("off the curve", method),
                "<=",
                1.5,
            ),
            Claim(f"{method}: slackness is gone, to 0.5 nats", _found("slackness", method), "<=", 0.5),
        )
    ]
    return [*curve, *back]


def plot(results: Results) -> Any:
    """Rate against distortion on test images."""
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(6, 4), layout="constrained")
    axes = canvas.subplots()
    for method, betas, style in ((FIXED, BETAS, "o-"), (LEARNED, FOUND_AGAIN, "x"), (GECO, FOUND_AGAIN, "+")):
        points = [
            (results.mean("rate", method, label(b)), results.mean("distortion", method, label(b)))
            for b in betas
        ]
        axes.plot(*zip(*points, strict=True), style, label=method, markersize=5 if method == FIXED else 10)
        if method == FIXED:
            for beta, point in zip(betas, points, strict=True):
                axes.annotate(label(beta), point, xytext=(5, 5), textcoords="offset points")
    axes.set(xlabel="rate, nats an image", ylabel="distortion, nats an image")
    axes.legend(frameon=False)
    return canvas


EXPERIMENT = Experiment(
    name="beta-frontier",
    title="β is the slope of a rate-distortion curve, and a bound on either side finds it",
    about=ABOUT,
    source="Higgins et al. 2017; Rezende & Viola 2018; Alemi et al. 2018",
    cells=cells,
    run=run,
    figures={
        "rate": Figure("nats/image"),
        "distortion": Figure("nats/image"),
        "rate in training": Figure("nats/image"),
        "distortion in training": Figure("nats/image"),
        "β found": Figure(),
        "β found / β": Figure(),
        "off the curve": Figure("nats/image"),
        "slackness": Figure("nats/image"),
    },
    claims=claims,
    plot=plot,
)
