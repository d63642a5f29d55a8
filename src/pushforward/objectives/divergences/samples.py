"""Transport distances between samples: exact, along random lines, and smoothed by entropy.

Every one is in the unit of the points, (n, d) and (m, d), and can be differentiated by them. Integers and
half precision are taken as numbers that hold a mean. Of two samples of one distribution none is 0: W₁ of n
points falls only as n^(-1/d) in d > 2 dimensions, along lines and with a fixed ε as n^(-1/2).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from pushforward.errors import UserError


def distances(x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
    """‖x_i - y_j‖₂, from differences: a matrix product would leave 1e-3 between equal points in float32."""
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")


def w1_line(x: Shaped[Tensor, "*b n"], y: Shaped[Tensor, "*b m"]) -> Float[Tensor, "*b"]:
    """W₁ of points on a line, by sorting: ∫ |F_x - F_y|, the mean of |x_(i) - y_(i)| where n = m."""
    x, y = _fractions(x), _fractions(y)
    points = torch.cat([x, y], dim=-1)
    jumps = torch.cat([torch.full_like(x, 1 / x.shape[-1]), torch.full_like(y, -1 / y.shape[-1])], dim=-1)
    ordered, order = points.sort(dim=-1)
    between = jumps.gather(-1, order).cumsum(-1)[..., :-1].abs()
    return (between * ordered.diff(dim=-1)).sum(-1)


def w1_samples(x: Shaped[Tensor, "*n"], y: Shaped[Tensor, "*m"]) -> Float[Tensor, ""]:
    """W₁ of two sets of points, exactly: by sorting in one dimension, else by POT's network simplex.

    The simplex takes seconds for 2,000 points a side and grows faster than n². Differentiable: the plan is
    that of the best one, which a small move of the points does not change. Raises UserError for an empty
    set.
    """
    x, y = _some_of_both(x, y)
    if x.shape[1] == 1:
        return w1_line(x[:, 0], y[:, 0])
    cost = distances(x, y)
    a, b = (cost.new_full((k,), 1 / k) for k in cost.shape)
    return (optimal_plan(a, b, cost) * cost).sum()


def optimal_plan(
    a: Shaped[Tensor, " n"], b: Shaped[Tensor, " m"], cost: Shaped[Tensor, "i j"]
) -> Float[Tensor, "n m"]:
    """A cheapest plan that takes masses a to masses b, by POT's network simplex, without a graph.

    Its rows sum to a, its columns to b. Raises UserError where a and b hold different masses.
    """
    import ot  # seconds to import, so only when needed

    a, b, cost = _fractions(a), _fractions(b), _fractions(cost)
    for name, mass in (("a", a), ("b", b)):
        if not bool(torch.isfinite(mass).all()) or bool((mass < 0).any()) or not float(mass.sum()) > 0:
            raise UserError(f"{name}: {_shown(mass)}; expected masses of at least 0, not all 0, all finite")
    if cost.shape != (len(a), len(b)):
        raise UserError(f"cost: shape {tuple(cost.shape)}; expected {(len(a), len(b))}, a row for each of a")
    if not bool(torch.isfinite(cost).all()):
        raise UserError("cost: some are NaN or infinite; expected finite costs")
    if not torch.isclose(a.sum(), b.sum().to(a), rtol=1e-5):
        raise UserError(f"b: holds a mass of {float(b.sum()):g}; expected that of a, {float(a.sum()):g}")
    supply, demand, costs = (t.detach().double().cpu().numpy() for t in (a, b, cost))
    plan, log = ot.emd(supply, demand * (supply.sum() / demand.sum()), costs, numItermax=10**7, log=True)
    if log["warning"]:
        raise UserError(f"cost: POT found no optimal plan ({log['warning']}); expected finite costs")
    return torch.from_numpy(plan).to(cost)


def sliced_w1(
    x: Shaped[Tensor, "*n"],
    y: Shaped[Tensor, "*m"],
    *,
    projections: int = 200,
    directions: Float[Tensor, "d l"] | None = None,
) -> Float[Tensor, ""]:
    """The mean W₁ of the points' shadows on random lines: never above W₁, at n ln n a line.

    A shift by m gives m E|u₁| for a direction u on the sphere: 2m/π in two dimensions, the less the more
    there are. directions: unit vectors, instead of random ones. Rabin et al. 2012; Bonneel et al. 2015.
    """
    x, y = _some_of_both(x, y)
    if directions is None:
        directions = torch.nn.functional.normalize(torch.randn(x.shape[1], projections).to(x), dim=0)
    return w1_line((x @ directions).T, (y @ directions).T).mean()


def sinkhorn_divergence(
    x: Shaped[Tensor, "*n"],
    y: Shaped[Tensor, "*m"],
    *,
    epsilon: float,
    cost: Callable[[Tensor, Tensor], Tensor] = distances,
    iterations: int = 1000,
    tolerance: float = 1e-4,
) -> Float[Tensor, ""]:
    """OT_ε(x, y) - ½ OT_ε(x, x) - ½ OT_ε(y, y), which is zero for equal sets. Feydy et al. 2019, eq. 3.

    OT_ε is the cheapest ⟨P, C⟩ + ε KL(P ‖ product plan). For the distance as cost it goes from W₁ (ε → 0) to
    the energy distance E‖x - y‖ - ½ E‖x - x'‖ - ½ E‖y - y'‖ (ε → ∞). epsilon: in the unit of the cost.
    cost: (n, d), (m, d) -> (n, m). tolerance: of the potentials, in units of epsilon. Differentiable, through
    one last iteration. Raises UserError where the iterations do not suffice.
    """
    x, y = _some_of_both(x, y)
    if not epsilon > 0:
        raise UserError(
            f"epsilon: {epsilon}; expected a positive number in the unit of the cost, such as 0.1"
        )

    def transport(u: Tensor, v: Tensor) -> Tensor:
        return _entropic_transport(u, v, epsilon, cost, iterations, tolerance)

    return transport(x, y) - (transport(x, x) + transport(y, y)) / 2


def _entropic_transport(
    x: Tensor,
    y: Tensor,
    epsilon: float,
    cost: Callable[[Tensor, Tensor], Tensor],
    iterations: int,
    tolerance: float,
) -> Tensor:
    """OT_ε by averaged Sinkhorn steps on the potentials f (of x) and g (of y), from a large ε down."""

    def softmin(costs: Tensor, potential: Tensor, eps: float) -> Tensor:
        scores = (potential - costs) / eps
        return -eps * (torch.logsumexp(scores, dim=1) - math.log(costs.shape[1]))

    with torch.no_grad():
        costs = cost(x, y)
        f, g = costs.new_zeros(len(x)), costs.new_zeros(len(y))
        eps = max(epsilon, float(costs.max()))
        for _ in range(iterations):
            # Simultaneous and averaged, so that x and y are treated alike: OT(x, x) has f = g at every
            # step.
            new_f = (f + softmin(costs, g, eps)) / 2
            new_g = (g + softmin(costs.T, f, eps)) / 2
            moved = max((new_f - f).abs().max(), (new_g - g).abs().max())
            f, g = new_f, new_g
            if eps == epsilon and moved <= tolerance * epsilon:
                break
            eps = max(epsilon, eps * 0.8)
        else:
            raise UserError(
                f"iterations: {iterations} did not suffice at epsilon = {epsilon:g}; take more of them, or a "
                f"larger epsilon (the largest cost is {float(costs.max()):g})"
            )
    # Each potential carries the graph of its own points alone, or the gradient would be counted twice.
    return softmin(cost(x, y.detach()), g, epsilon).mean() + softmin(cost(y, x.detach()), f, epsilon).mean()


def _some_of_both(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Both as fractions. Raises UserError for no points, other dimensions, or numbers that are none."""
    for name, points in (("x", x), ("y", y)):
        if points.ndim != 2 or not points.shape[1]:
            raise UserError(f"{name}: shape {tuple(points.shape)}; expected points, (n, d)")
        if not len(points):
            raise UserError(f"{name}: no points; expected at least one, (n, d)")
        if points.is_floating_point() and not bool(torch.isfinite(points).all()):
            raise UserError(f"{name}: some numbers are NaN or infinite; expected finite points")
    if x.shape[1] != y.shape[1]:
        raise UserError(f"y: points of {y.shape[1]} numbers, but x has points of {x.shape[1]}; give the same")
    return _fractions(x), _fractions(y)


def _fractions(x: Tensor) -> Tensor:
    """Integers and half precision as numbers that hold a mean: 1/n of an integer would be 0."""
    if not x.is_floating_point():
        return x.to(torch.float64)
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _shown(mass: Tensor) -> str:
    return ", ".join(f"{v:g}" for v in mass[:4].tolist()) + (", …" if len(mass) > 4 else "")
