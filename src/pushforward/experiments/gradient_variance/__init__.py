"""How noisy estimates of a gradient are: by k, parameter, draws and dimension, in a VAE and in a regression.

After S. Mohamed, M. Rosca, M. Figurnov and A. Mnih, *Monte Carlo gradient estimation in machine learning*,
JMLR 2020, sections 3 and 8. `gaussian` holds the functions of one Gaussian variable, `autoencoder` the VAE's
encoder, `regression` the logistic regression, `checks` what is checked and `picture` what is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pushforward.experiments.gradient_variance import autoencoder, gaussian, regression
from pushforward.experiments.harness.experiment import Budget, Cell, Claim, Experiment, Figure, Results, Row

SHOWN_K = (0.5, 2.0, 8.0)
SHOWN_D = 40
ABOUT = """\
All estimators here but the relaxed and the straight-through ones have the right mean; what a training feels
is their variance. Which is least depends on the function: for (x − k)², exp(−kx²) and cos(kx) of one Gaussian
variable the exact variance of every estimator follows by quadrature, and each measured one is held against
it. Where f turns fast within σ, as cos(kx) does at large kσ, the pathwise estimator loses to the score
function; the rule of thumb that it always wins would be refuted by that, and a wrong estimator or a wrong
interval by a measured variance off its quadrature.

In D dimensions f is summed over coordinates. What an estimator for one coordinate must then pay for the
others is the whole difference between the families: nothing for the pathwise and the measure-valued one, a
variance that grows with D for the score function. The variance of a mean over N draws falls as 1/N for a
fixed baseline; a leave-one-out baseline gets better with N too, so its variance falls a little faster.

Then the same estimators in use: the encoder's gradient of a small VAE on digits, with Gaussian latents and
with bits (4 draws an estimate, networks and what an estimator learns frozen while measuring); and Bayesian
logistic regression, 50 draws, on all data while measuring. There the variance is the sum over parameters.
Draws are not cost: `rebar`, `relax` and the measure-valued estimator evaluate f several times a draw, and
the milliseconds of an estimate, measured on a machine that was doing other things too, say what that costs.
"""


def cells(budget: Budget, seeds: Sequence[int]) -> list[Cell]:
    """The published regression takes 5,000 steps, which `full` gives it."""
    replicas = {"replicas": {"quick": 20_000, "full": 100_000}[budget]}
    vae = {
        "quick": {"steps": 600, "learning": 400, "repeats": 120},
        "full": {"steps": 3000, "learning": 3000, "repeats": 400},
    }[budget]
    fit = {"quick": {"steps": 2000, "repeats": 100}, "full": {"steps": 5000, "repeats": 400}}[budget]
    settings: list[tuple[str, str, dict[str, Any]]] = [
        (method, gaussian.setting(**point), {**point, **replicas})
        for point in gaussian.points()
        for method in gaussian.METHODS
    ]
    settings += [(method, autoencoder.GAUSSIAN, vae) for method in autoencoder.GAUSSIAN_METHODS]
    settings += [(method, autoencoder.BITS, vae) for method in autoencoder.BITS_METHODS]
    settings += [(method, regression.SETTING, fit) for method in regression.METHODS]
    return [Cell(method, setting, seed, options) for method, setting, options in settings for seed in seeds]


def run(cell: Cell) -> dict[str, float]:
    """One estimator on one problem."""
    if cell.setting in (autoencoder.GAUSSIAN, autoencoder.BITS):
        return autoencoder.run(cell)
    return regression.run(cell) if cell.setting == regression.SETTING else gaussian.run(cell)


def rows(results: Results) -> list[Row]:
    """Three k of each function, the widest problem, and what is in use; the other points are drawn."""
    from pushforward.experiments.harness.summary import seed_rows

    shown = {autoencoder.GAUSSIAN, autoencoder.BITS, regression.SETTING}
    for f in gaussian.FUNCTIONS:
        shown |= {gaussian.setting(f, k=k) for k in SHOWN_K} | {gaussian.setting(f, D=SHOWN_D)}
    chosen = {cell: figures for cell, figures in results.figures.items() if cell.setting in shown}
    return [row for row in seed_rows(EXPERIMENT, Results(chosen)) if not row.figure.startswith("off by")]


def claims(budget: Budget) -> list[Claim]:
    """What is checked."""
    # Not loaded while cells run, so that a claim or a picture can be worded anew without running them again.
    from pushforward.experiments.gradient_variance.checks import all_claims

    return all_claims()


def plot(results: Results) -> Any:
    """Measured points on the lines of quadrature, and bars for what is in use."""
    from pushforward.experiments.gradient_variance.picture import draw

    return draw(results)


EXPERIMENT = Experiment(
    name="gradient-variance",
    title="Which estimator of a gradient is least noisy depends on the function",
    about=ABOUT,
    source="Mohamed, Rosca, Figurnov & Mnih 2020, sections 3 and 8",
    cells=cells,
    run=run,
    figures={
        "variance by μ": Figure("of one estimate"),
        "exact variance by μ": Figure("by quadrature"),
        "off by μ": Figure("standard errors"),
        "variance by σ": Figure("of one estimate"),
        "exact variance by σ": Figure("by quadrature"),
        "off by σ": Figure("standard errors"),
        "encoder's variance": Figure("nats², summed over weights"),
        "ms an estimate": Figure("ms"),
        "off the exact gradient": Figure("relative"),
        "off in standard errors": Figure("of the mean"),
        "variance at the start": Figure("nats², summed over parameters"),
        "variance at the end": Figure("nats², summed over parameters"),
        "ELBO": Figure("nats"),
    },
    claims=claims,
    rows=rows,
    plot=plot,
)
