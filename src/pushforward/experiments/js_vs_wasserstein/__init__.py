"""What a generator gets from each divergence as it is moved away from the data: by formula, and by
training.

M. Arjovsky and L. Bottou, *Towards Principled Methods for Training Generative Adversarial Networks*, ICLR
2017; M. Arjovsky, S. Chintala and L. Bottou, *Wasserstein GAN*, ICML 2017; I. Gulrajani et al., *Improved
Training of Wasserstein GANs*, NIPS 2017. `formulas` needs no training, `trained` does, `checks` checks and
`picture` draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from pushforward.experiments.harness.experiment import Budget, Cell, Claim, Experiment, Figure, Results, Row
from pushforward.experiments.js_vs_wasserstein import formulas, trained

CLOSED, OPTIMAL, ERRING = "closed form", "D optimal", "D with an error"
TRAINED, CRITIC = "D trained", "critic"
TWO_SIDED = "critic, two-sided"
STEEPNESS, STEEPNESS_TWO_SIDED = "critic, λ given", f"{TWO_SIDED}, λ given"
NOISE = 10.0
NOISY = f", noise {NOISE:g}"
SHIFTS = (1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0)
SHOWN_SHIFTS = (1.0, 3.0, 10.0, 30.0)
ERRORS = (1e-2, 1e-6)
STEEP_SHIFT, LAMBDAS = 8.0, (4.0, 10.0, 80.0)
# Sets whose best critic does not have the slope 1 everywhere.
NOT_STEEP = ("Gaussians, one wider", "rings, one turned")
ABOUT = f"""\
Data are N(0, 1), a generator makes N(m, 1). How far is it, and which way does it feel it has to go?

| | value | its gradient by m |
|-|-|-|
| KL | m²/2 | m: it *grows*, often said otherwise; no GAN descends it |
| JS | at most ln 2 | falls like exp(−m²/8) to nothing |
| minimax, E ln(1 − D), D optimal | 2 JS − ln 4 | twice that of JS |
| −E ln D, D optimal and held fixed | | m − 2 JS′, the gradient of KL(q ‖ p) − 2 JS: alive |
| W₁ | m | 1, everywhere |

*What −ln D costs.* At the optimal D the two losses share out a draw's gradient, mD and m(1 − D), so its
standard deviation is the same for both, and far away it vanishes for both. What differs is its size against
the mean: minimax drowns in it, −ln D does not. The price is paid where D errs: where the best D is 0, an
error of any size leaves −ln D with a gradient that is Cauchy distributed (Arjovsky & Bottou 2017, theorem
2.6), of median size 1 and without a mean.

*Noise* of standard deviation s on both sides is for KL and JS as if the shift were m/√(1 + s²), so with s =
{NOISE:g} JS has a gradient at m = 30. W₁ stays m.

*Trained* networks in place of the formulas, 2 × 64 ReLU, {trained.DRAWS:,} draws: a discriminator's minimax
gradient is not exp(−m²/8), because no training is so sure, but small enough to leave the generator without
a signal. Its −ln D gradient is alive and points the right way; its size is an accident of the training, not
m. A critic with gradient penalty gives the slope 1 at any distance.

*Reading W₁ off a critic.* The penalty (‖∇f‖ − 1)² with weight λ gives way: for a shift by m the slope is 1
+ m/(2λ), and E f(x) − E f(G(z)) as much too large. `train_critic` takes λ ≥ 10 W₁ and corrects what is
left. It penalises slopes above 1 alone. WGAN-GP's own, two-sided penalty asks for slope 1 also where the
best critic is flatter, and reads too little there. On a line it may even leave the critic flat: one that
starts with the wrong sign would have to pass the slope 0, which the penalty forbids, as it does in the
Dirac-GAN of `convergence`. In the plane the readings are held to 5 % of POT's exact W₁ of the same points.
"""


def cells(budget: Budget, seeds: Sequence[int]) -> list[Cell]:
    """Formulas once; training for each seed (full: four times the steps, twice the points)."""
    steps = {"quick": 1000, "full": 4000}[budget]
    plane: Mapping[str, float] = {
        "quick": {"steps": 1500, "points": 1000},
        "full": {"steps": 5000, "points": 2000},
    }[budget]
    settings: list[tuple[str, str, Mapping[str, float]]] = []
    for m in SHIFTS:
        settings += [
            (method, at(m), {"m": m}) for method in (CLOSED, CLOSED + NOISY, OPTIMAL, OPTIMAL + NOISY)
        ]
    settings += [(ERRING, f"error {error:g}", {"error": error}) for error in ERRORS]
    once = [Cell(method, setting, seeds[0], options) for method, setting, options in settings]
    settings = [
        (method, at(m), {"m": m, "steps": steps})
        for m in SHIFTS
        for method in (TRAINED, TRAINED + NOISY, CRITIC)
    ]
    settings += [
        (method, weighted(w), {"λ": w, "m": STEEP_SHIFT, "steps": steps})
        for w in LAMBDAS
        for method in (STEEPNESS, STEEPNESS_TWO_SIDED)
    ]
    settings += [
        (method, setting, plane)
        for setting in trained.PLANAR
        for method in trained.READINGS
        if method != TWO_SIDED or setting in NOT_STEEP
    ]
    return once + [Cell(method, setting, seed, o) for method, setting, o in settings for seed in seeds]


def at(m: float) -> str:
    """The setting of a shift."""
    return f"m = {m:g}"


def weighted(lambda_: float) -> str:
    """The setting of a penalty's weight."""
    return f"λ = {lambda_:g}, m = {STEEP_SHIFT:g}"


def run(cell: Cell) -> dict[str, float]:
    """One reading."""
    torch.manual_seed(cell.seed)
    options, noise = cell.options, NOISE if cell.method.endswith(NOISY) else 0.0
    if cell.setting in trained.PLANAR:
        return trained.planar(cell.method, cell.setting, options["points"], options["steps"])
    if cell.method == ERRING:
        sizes = formulas.erring_discriminator(options["error"], trained.DRAWS)
        return {f"median of a draw, {loss}": size for loss, size in sizes.items()}
    if cell.method in (STEEPNESS, STEEPNESS_TWO_SIDED):
        one_sided = cell.method == STEEPNESS
        return trained.steepness(options["m"], options["λ"], options["steps"], one_sided=one_sided)
    if cell.method == CRITIC:
        return trained.critic(options["m"], options["steps"])
    if cell.method.startswith(TRAINED):
        return trained.discriminator(options["m"], noise, options["steps"])
    if cell.method.startswith(OPTIMAL):
        found = formulas.optimal_discriminator([options["m"]], noise)
        figures = {f"slope, {loss}": float(mean) for loss, (mean, _) in found.items()}
        return figures | {f"sd of a draw, {loss}": float(sd) for loss, (_, sd) in found.items()}
    figures = {}
    for name, (value, slope) in formulas.distances_and_slopes([options["m"]], noise).items():
        figures |= {name: float(value), f"slope of {name}": float(slope)}
    return figures


def rows(results: Results) -> list[Row]:
    """Four of the shifts; all are drawn."""
    from pushforward.experiments.harness.summary import seed_rows

    drawn = {at(m) for m in SHIFTS} - {at(m) for m in SHOWN_SHIFTS}
    return [row for row in seed_rows(EXPERIMENT, results) if row.setting not in drawn]


def claims(budget: Budget) -> list[Claim]:
    """What is checked."""
    # Not loaded while cells run, so that a claim or a picture can be worded anew without running them again.
    from pushforward.experiments.js_vs_wasserstein.checks import all_claims

    return all_claims()


def plot(results: Results) -> Any:
    """Values, gradients and their noise by formula, with what trained networks give beside them."""
    from pushforward.experiments.js_vs_wasserstein.picture import draw

    return draw(results)


EXPERIMENT = Experiment(
    name="js-vs-wasserstein",
    title="Far from the data JS gives a generator no gradient, −ln D an accident, and W₁ the slope 1",
    about=ABOUT,
    source="Arjovsky & Bottou 2017; Arjovsky et al. 2017; Gulrajani et al. 2017",
    cells=cells,
    run=run,
    figures={
        "KL": Figure("nats"),
        "slope of KL": Figure("nats"),
        "JS": Figure("nats"),
        "slope of JS": Figure("nats"),
        "W1": Figure(),
        "slope of W1": Figure(),
        "slope, minimax": Figure("nats"),
        "sd of a draw, minimax": Figure("nats"),
        "slope, −ln D": Figure("nats"),
        "sd of a draw, −ln D": Figure("nats"),
        "sd of a draw, critic": Figure(),
        "median of a draw, minimax": Figure("nats"),
        "median of a draw, −ln D": Figure("nats"),
        "W1 by POT": Figure(),
        "off the exact W1": Figure("relative"),
        "uncorrected, over W1": Figure(),
        "critic's slope": Figure(),
        "slope over 1 + m/(2λ)": Figure(),
    },
    claims=claims,
    rows=rows,
    plot=plot,
)
