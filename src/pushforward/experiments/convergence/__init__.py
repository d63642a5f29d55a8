"""Which GANs converge, on the smallest one there is: eigenvalues in closed form and by autograd, and played
out.

L. Mescheder, A. Geiger and S. Nowozin, *Which Training Methods for GANs do actually Converge?*, ICML 2018.
`games` holds the vector fields, `simulate` plays them, `checks` says what is checked, `picture` draws.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
import torch

from pushforward.experiments.convergence.games import (
    Game,
    autograd_field,
    autograd_step,
    jacobian_eigenvalues,
)
from pushforward.experiments.convergence.simulate import How, distance, play, start
from pushforward.experiments.harness.experiment import Budget, Cell, Claim, Experiment, Figure, Results, Row

H = 0.05  # the generator's step
RATIO = 10.0  # of the two time scales
CLIP = 0.5
GAMMA = 0.5
GAMES = {
    "GAN": Game(loss="minimax"),
    "GAN, −ln D": Game(loss="non-saturating"),
    "WGAN": Game(loss="Wasserstein"),
    "WGAN, clipped": Game(loss="Wasserstein", clip=CLIP),
    "WGAN-GP, λ = 0.5": Game(loss="Wasserstein", lambda_=0.5),
    "WGAN-GP, λ = 10": Game(loss="Wasserstein", lambda_=10.0),
    "GAN, noise": Game(loss="minimax", noise=1.0),
    "WGAN, noise": Game(loss="Wasserstein", noise=1.0),
    "GAN, R1": Game(loss="minimax", r1=GAMMA),
    "WGAN, R1": Game(loss="Wasserstein", r1=GAMMA),
    "R3GAN": Game(loss="relativistic", r1=GAMMA / 2, r2=GAMMA / 2),
    "GAN, two time scales": Game(loss="minimax", ratio=RATIO),
    "WGAN, two time scales": Game(loss="Wasserstein", ratio=RATIO),
    "GAN, R1, two time scales": Game(loss="minimax", r1=GAMMA, ratio=RATIO),
}
HOW: tuple[How, ...] = get_args(How)
LIMIT = GAMMA / 0.25  # of simultaneous steps on "GAN, R1": above δ/f'(0)² they leave the unit circle
BELOW, ABOVE = "simultaneous, h = 0.9 limit", "simultaneous, h = 1.1 limit"
ABOVE_ALTERNATING = "alternating, h = 1.1 limit"
LIMITS: dict[str, tuple[How, float]] = {
    BELOW: ("simultaneous", 0.9 * LIMIT),
    ABOVE: ("simultaneous", 1.1 * LIMIT),
    ABOVE_ALTERNATING: ("alternating", 1.1 * LIMIT),
}
PLAYED: dict[str, tuple[How, float]] = {**{how: (how, H) for how in HOW}, **LIMITS}
NEAR = 0.01  # the distance from which the limits are tried
ABOUT = """\
In the *Dirac-GAN* the data are all at 0, the generator puts everything at θ, and the critic is D(x) = ψx.
At θ = ψ = 0 nobody wants to move. Whether training gets there is decided by the eigenvalues of the vector
field that gradient descent follows: a negative real part pulls in, an imaginary part turns.

    GAN, −ln D or WGAN       ± i √k f'(0), with f'(0) = ½ or, for WGAN, 1
    noise σ, R1 with γ       −δ/2 ± √(δ²/4 − k f'(0)²), with δ = k (σ²/2 + γ) or, for WGAN, k γ

k is the critic's learning rate over the generator's.

What follows depends on how the game is played, and the three ways must not be mixed up:

- The *flow*, infinitely small steps. GAN and WGAN circle for ever: θ² + ψ²/k does not change. The −ln D
  loss has the same eigenvalues, yet its higher orders pull it in, so slowly that no rate describes it:
  distance √(8/t).
- *Simultaneous* steps of size h. The eigenvalues of a step have modulus √(1 + h² k f'²) > 1 for every h:
  GAN and WGAN drift away. −ln D ends on a circle of radius √(2h), where the drift and the pull are equal.
- *Alternating* steps. The modulus is exactly 1: GAN and WGAN stay about where they are, −ln D falls as in
  the flow.

What converges, and what is only said to:

- *Instance noise* on both sides and *R1* converge in all three, at the rate that the eigenvalues say; steps
  must be small enough, h < δ/f'(0)² for simultaneous ones, and alternating ones bear more. R1 and R2
  together, R3GAN's choice, are here one R1 of twice the weight.
- Noise does nothing for WGAN: its losses are linear in the scores, so the noise averages out.
- *Two time scales* alone do not converge: k makes the circle an ellipse and turns faster. The theorem of
  Heusel et al. (2017) asks that the critic settle for a fixed generator, and this one never does: for θ ≠ 0
  no ψ is best. With R1 there is a best ψ, and then a faster critic does help. Many critic steps a generator
  step are the same as a faster one.
- *WGAN with clipping*, from further out than the clip, settles on the circle whose radius is the clip.
- *WGAN-GP* does not converge: its penalty has a corner at ψ = 0, where the equilibrium is. For λ < 1 it
  ends on a cycle. For λ ≥ 1 it comes to rest in the wrong place, at θ = ± 2λ with a flat critic: the
  penalty, which wants the slope 1 that ψ had, holds it back from changing sign.

The vector field and the eigenvalues are written down in closed form and held against autograd on the very
losses and penalties that the package trains with. Starts are random points at distance 1; h = 0.05, k = 10
for two time scales.
"""


def cells(budget: Budget, seeds: Sequence[int]) -> list[Cell]:
    """Every game, played in three ways; and steps about the limit."""
    size = {"steps": {"quick": 8000, "full": 40_000}[budget]}
    played = [Cell(game, how, seed, size) for game in GAMES for how in HOW for seed in seeds]
    return played + [Cell("GAN, R1", setting, seed, size) for setting in LIMITS for seed in seeds]


def run(cell: Cell) -> dict[str, float]:
    """Play one game, and hold its mathematics against autograd."""
    game = GAMES[cell.method]
    how, h = PLAYED[cell.setting]
    origin = start(cell.seed, NEAR if cell.setting in LIMITS else 1.0)
    steps = cell.options["steps"]
    path = play(game, how, origin, h=h, steps=steps)
    r = distance(path, game)
    last = r[-steps // 10 :]
    figures = {
        "distance at the end": float(last.mean()) / r[0],
        "least": float(last.min()) / r[0],
        "|θ| at the end": abs(float(path[-1, 0])),
        "field off autograd's": field_off(game, cell.seed),
    }
    if game.smooth:
        figures |= spectrum(game, how, h)
        # Between two times at which it is neither settling nor below what a double resolves.
        early, late = (next((i for i in range(len(r)) if r[i] < d * r[0]), None) for d in (1e-2, 1e-12))
        if early is not None and late is not None:
            figures["rate"] = math.log(r[late] / r[early]) / (h * (late - early))
    return figures


def spectrum(game: Game, how: How, h: float) -> dict[str, float]:
    """Closed-form eigenvalues, what rate they say, and how far off autograd's they are."""
    field, origin_field = game.eigenvalues(), lambda x: autograd_field(game, *x.unbind())
    off = _apart(field, jacobian_eigenvalues(origin_field))
    rate = max(value.real for value in field)
    if how != "flow":
        alternating = how == "alternating"
        step = game.step_eigenvalues(h, alternating=alternating)
        off = max(off, _apart(step, jacobian_eigenvalues(autograd_step(game, h, alternating=alternating))))
        rate = math.log(max(map(abs, step))) / h
    return {
        "real part": max(value.real for value in field),
        "imaginary part": max(value.imag for value in field),
        "rate by eigenvalues": rate,
        "eigenvalues off autograd's": off,
    }


def _apart(ours: Sequence[complex], theirs: np.ndarray) -> float:
    """The largest difference, whichever way around they are listed."""
    ways = (theirs, theirs[::-1])
    return float(min(np.abs(np.array(ours) - way).max() for way in ways))


def field_off(game: Game, seed: int, points: int = 5) -> float:
    """The largest difference of the closed-form field to autograd's, at random points."""
    worst = 0.0
    for theta, psi in np.random.default_rng(seed).normal(size=(points, 2)):
        ours = np.array([game.generator(theta, psi), game.critic(theta, psi)])
        at = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (theta, psi)]
        theirs = autograd_field(game, *at).detach().numpy()
        worst = max(worst, float(np.abs(ours - theirs).max()))
    return worst


def rows(results: Results) -> list[Row]:
    """Where each game ends and how fast, and the field's eigenvalues once; the rest is in the checks."""
    from pushforward.experiments.harness.summary import seed_rows

    everywhere, once = {"distance at the end", "rate", "rate by eigenvalues"}, {"real part", "imaginary part"}
    return [
        row
        for row in seed_rows(EXPERIMENT, results)
        if row.figure in everywhere or (row.figure in once and row.setting == HOW[0])
    ]


def claims(budget: Budget) -> list[Claim]:
    """What is checked."""
    # Not loaded while cells run, so that a claim or a picture can be worded anew without running them again.
    from pushforward.experiments.convergence.checks import all_claims

    return all_claims(budget)


def plot(results: Results) -> Any:
    """Trajectories over the vector fields, distances over time, and the eigenvalues."""
    from pushforward.experiments.convergence.picture import draw

    return draw()


EXPERIMENT = Experiment(
    name="convergence",
    title="GANs and WGANs circle; noise and R1 converge; two time scales alone do not",
    about=ABOUT,
    source="Mescheder, Geiger & Nowozin 2018, sections 2 to 4",
    cells=cells,
    run=run,
    figures={
        "distance at the end": Figure("of the start's"),
        "least": Figure("of the start's"),
        "|θ| at the end": Figure(),
        "rate": Figure("1/time"),
        "rate by eigenvalues": Figure("1/time"),
        "real part": Figure("1/time"),
        "imaginary part": Figure("1/time"),
        "eigenvalues off autograd's": Figure("1/time"),
        "field off autograd's": Figure("1/time"),
    },
    claims=claims,
    rows=rows,
    plot=plot,
)
