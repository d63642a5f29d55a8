"""The earth-mover's distance of a few boxes, by trying every plan and every critic there is.

M. Arjovsky, S. Chintala and L. Bottou, *Wasserstein GAN*, ICML 2017, eq. 1 and 2; C. Villani, *Optimal
Transport: Old and New*, 2009, theorem 5.10.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise, product
from typing import Any, NamedTuple

import numpy as np
import torch

from pushforward.experiments.harness.experiment import Budget, Cell, Claim, Experiment, Figure, Results
from pushforward.objectives.divergences import distances, optimal_plan, w1_line

SIX, TWO, RANDOM = "six boxes", "two boxes", "random piles on a plane"
PLANS, POT, CRITICS, SORTING = "plans", "POT", "critics", "sorting"
NAMED = (
    (6, 6, 6, 7, 8, 9),
    (6, 6, 6, 6, 9, 9),
)  # of the six boxes: how far each is taken, in two of the plans
PILES, BOXES, SIDE = 4, 10, 10.0  # of the random problems
ABOUT = """\
Piles of boxes are to be moved to other places, at a cost of one for each box and each step. A *plan*
says how many boxes go from where to where. The earth-mover's distance W₁ is the cost of the cheapest one.

- *Six boxes*, three at 1, one at 2 and two at 3, to one at 7, one at 8, two at 9 and two at 10. There are
  24 plans, and every one costs 42, for instance 6 + 6 + 6 + 8 + 9 + 7 or 6 + 6 + 6 + 6 + 2·9: where all
  have to go the same way, it does not matter who goes where.
- *Two boxes*, at 4 and 6, to 3 and 7. One plan costs 1 + 1 = 2, the other 3 + 3 = 6: the distance is 2.

A *critic* gives each place a score f that changes by at most one a step. No critic can tell the two
arrangements further apart than the cheapest plan moves them, because f(from) − f(to) is at most the length
of the way; and the best critic gets as far (Kantorovich and Rubinstein). That critic is what a Wasserstein
GAN trains. Here every critic with whole scores is tried too, and one of them is always as good as any.

POT's network simplex, which the rest of the package trusts, has to find the same, also for random piles on
a plane, where the best critic is found by a linear program instead. A plan cheaper than POT's, or a critic
above it, would refute this.
"""


class Piles(NamedTuple):
    """How many boxes are where, (n, d) and (n,), and where they are to go."""

    from_: np.ndarray
    boxes: np.ndarray
    to: np.ndarray
    wanted: np.ndarray

    @property
    def cost(self) -> np.ndarray:
        """Of one box, (n, m)."""
        return distances(torch.from_numpy(self.from_), torch.from_numpy(self.to)).numpy()


def piles(setting: str, seed: int) -> Piles:
    """The problem of a setting."""
    if setting == SIX:
        return _on_a_line({1: 3, 2: 1, 3: 2}, {7: 1, 8: 1, 9: 2, 10: 2})
    if setting == TWO:
        return _on_a_line({4: 1, 6: 1}, {3: 1, 7: 1})
    random = np.random.default_rng(seed)
    where = random.uniform(0, SIDE, (2, PILES, 2))
    boxes, wanted = 1 + random.multinomial(BOXES - PILES, [1 / PILES] * PILES, size=2)
    return Piles(where[0], boxes, where[1], wanted)


def _on_a_line(boxes: Mapping[int, int], wanted: Mapping[int, int]) -> Piles:
    columns = [(np.array([*p], dtype=float)[:, None], np.array([*p.values()])) for p in (boxes, wanted)]
    return Piles(*columns[0], *columns[1])


def every_plan(boxes: Sequence[int], wanted: Sequence[int]) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Every table of whole numbers with these sums of rows and columns."""
    if len(boxes) == 1:
        yield (tuple(wanted),)
        return
    for row in product(*(range(min(boxes[0], w) + 1) for w in wanted)):
        if sum(row) == boxes[0]:
            left = [w - r for w, r in zip(wanted, row, strict=True)]
            yield from ((row, *rest) for rest in every_plan(boxes[1:], left))


def every_critic(places: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Every score of sorted whole places that is 0 at the first and changes by whole numbers, at most 1 a
    step."""
    changes = (range(a - b, b - a + 1) for a, b in pairwise(places))
    return (tuple(accumulate(steps, initial=0)) for steps in product(*changes))


def plan_costs(problem: Piles) -> list[float]:
    """What each plan costs, in the order of `every_plan`."""
    return [float((np.array(plan) * problem.cost).sum()) for plan in every_plan(*_masses(problem))]


def critic_values(problem: Piles) -> list[float]:
    """Of piles on a line: how far apart each critic puts the two, Σ f(from) − Σ f(to)."""
    mass: dict[int, int] = {}
    for places, boxes, sign in ((problem.from_, problem.boxes, 1), (problem.to, problem.wanted, -1)):
        for place, n in zip(places[:, 0], boxes, strict=True):
            mass[int(place)] = mass.get(int(place), 0) + sign * int(n)
    where = sorted(mass)
    return [sum(mass[x] * f for x, f in zip(where, fs, strict=True)) for fs in every_critic(where)]


def best_critic(problem: Piles) -> float:
    """The same by a linear program over the scores of all places: f_i - f_j ≤ the distance of i and j."""
    from scipy.optimize import linprog

    places = np.concatenate([problem.from_, problem.to])
    far = np.linalg.norm(places[:, None] - places, axis=-1)
    pairs = [(i, j) for i in range(len(places)) for j in range(len(places)) if i != j]
    bounds = np.zeros((len(pairs), len(places)))
    for row, (i, j) in zip(bounds, pairs, strict=True):
        row[i], row[j] = 1, -1
    gain = np.concatenate([problem.boxes, -problem.wanted])
    found = linprog(-gain, bounds, [far[i, j] for i, j in pairs], bounds=(-2 * SIDE, 2 * SIDE))
    return -float(found.fun)


def _masses(problem: Piles) -> tuple[list[int], list[int]]:
    return problem.boxes.tolist(), problem.wanted.tolist()


def cells(budget: Budget, seeds: Sequence[int]) -> list[Cell]:
    """The two examples as they are, and as many random ones as seeds (full: ten times as many)."""
    on_lines = [Cell(m, setting) for m in (PLANS, POT, CRITICS, SORTING) for setting in (SIX, TWO)]
    problems = range(len(seeds) * {"quick": 1, "full": 10}[budget])
    return on_lines + [Cell(m, RANDOM, seed) for m in (PLANS, POT, CRITICS) for seed in problems]


def run(cell: Cell) -> dict[str, float]:
    """One way to the distance."""
    problem = piles(cell.setting, cell.seed)
    if cell.method == PLANS:
        costs = plan_costs(problem)
        figures: dict[str, float] = {"plans": len(costs), "distance": min(costs), "dearest plan": max(costs)}
        if cell.setting == SIX:
            figures["named plans found"] = len(
                {*NAMED} & {ways(p, problem) for p in every_plan(*_masses(problem))}
            )
        return figures
    if cell.method == CRITICS:
        if cell.setting == RANDOM:
            return {"distance": best_critic(problem)}
        values = critic_values(problem)
        return {"critics": len(values), "distance": max(values)}
    if cell.method == POT:
        boxes, wanted = (torch.from_numpy(m).double() for m in (problem.boxes, problem.wanted))
        cost = torch.from_numpy(problem.cost)
        return {"distance": float((optimal_plan(boxes, wanted, cost) * cost).sum())}
    x, y = (
        torch.from_numpy(np.repeat(places[:, 0], n))
        for places, n in ((problem.from_, problem.boxes), (problem.to, problem.wanted))
    )
    return {"distance": len(x) * float(w1_line(x, y))}


def ways(plan: Sequence[Sequence[int]], problem: Piles) -> tuple[int, ...]:
    """How far each box is taken, the shortest way first."""
    costs = problem.cost
    return tuple(
        sorted(round(costs[i, j]) for i, row in enumerate(plan) for j, n in enumerate(row) for _ in range(n))
    )


def claims(budget: Budget) -> list[Claim]:
    """What the examples say, and that four ways to the distance agree."""

    def apart(results: Results, method: str) -> float:
        """The largest difference of a method's distance to the cheapest plan."""
        settings = (SIX, TWO) if method == SORTING else (SIX, TWO, RANDOM)
        return max(
            abs(a - b)
            for s in settings
            for a, b in zip(
                results.values("distance", PLANS, s), results.values("distance", method, s), strict=True
            )
        )

    def off(setting: str, least: float, most: float) -> Any:
        return lambda r: max(
            abs(r.mean("distance", PLANS, setting) - least),
            abs(r.mean("dearest plan", PLANS, setting) - most),
        )

    return [
        Claim("six boxes: every plan costs 42", off(SIX, 42, 42), "<=", 0.0),
        Claim(
            "six boxes: 6+6+6+8+9+7 and 6+6+6+6+9+9 are among the plans",
            lambda r: r.mean("named plans found", PLANS, SIX),
            ">=",
            2.0,
        ),
        Claim("two boxes: one plan costs 2, the other 6", off(TWO, 2, 6), "<=", 0.0),
        Claim("POT's plan costs what the cheapest of all plans does", lambda r: apart(r, POT), "<=", 1e-9),
        Claim("the best critic gets as far as that", lambda r: apart(r, CRITICS), "<=", 1e-9),
        Claim("on a line, so does sorting", lambda r: apart(r, SORTING), "<=", 1e-9),
        Claim(
            "control: a plan can be bad, by how much the dearest random one is above the cheapest",
            lambda r: min(
                most / least - 1
                for most, least in zip(
                    r.values("dearest plan", PLANS, RANDOM), r.values("distance", PLANS, RANDOM), strict=True
                )
            ),
            ">=",
            0.1,
        ),
    ]


def plot(results: Results) -> Any:
    """All plans of both examples, and all critics beside them."""
    from pushforward.experiments.earth_mover.picture import draw

    return draw()


EXPERIMENT = Experiment(
    name="earth-mover",
    title="The earth-mover's distance is the cheapest plan and the best critic",
    about=ABOUT,
    source="Arjovsky, Chintala & Bottou 2017, eq. 1 and 2; Villani 2009, theorem 5.10",
    cells=cells,
    run=run,
    figures={
        "distance": Figure("boxes · steps"),
        "plans": Figure(),
        "dearest plan": Figure("boxes · steps"),
        "named plans found": Figure("of 2"),
        "critics": Figure(),
    },
    claims=claims,
    plot=plot,
)
