"""Flows of a velocity: fixed-step solvers, and the density that a flow carries along.

A velocity is a function v(x, t) of states (b, *x) and of a time, a scalar tensor. Each state must move by
itself: v of one row may not depend on the others, as it would under BatchNorm. `integrate` goes forward or
back, and `transported_log_prob` follows ln p by the instantaneous change of variables, d ln p / dt = -div v
(Chen et al. 2018, *Neural Ordinary Differential Equations*, theorem 1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import vjp, vmap

from pushforward.errors import UserError

Velocity = Callable[[Tensor, Tensor], Tensor]
Divergence = Callable[[Velocity, Tensor, Tensor], tuple[Tensor, Tensor]]
Solver = Literal["euler", "midpoint", "heun", "rk4"]

ROWS_AT_ONCE = 4096  # states times directions that a divergence looks at together; bounds the memory


def euler_step(v: Velocity, x: Tensor, t: Tensor, h: Tensor) -> Tensor:
    """Order 1, one evaluation."""
    return x + h * v(x, t)


def midpoint_step(v: Velocity, x: Tensor, t: Tensor, h: Tensor) -> Tensor:
    """Order 2, two evaluations: the velocity half a step ahead."""
    return x + h * v(x + h / 2 * v(x, t), t + h / 2)


def heun_step(v: Velocity, x: Tensor, t: Tensor, h: Tensor) -> Tensor:
    """Order 2, two evaluations: the mean of the velocities at both ends."""
    k1 = v(x, t)
    k2 = v(x + h * k1, t + h)
    return x + h / 2 * (k1 + k2)


def rk4_step(v: Velocity, x: Tensor, t: Tensor, h: Tensor) -> Tensor:
    """Order 4, four evaluations: the classical method of Runge and Kutta."""
    k1 = v(x, t)
    k2 = v(x + h / 2 * k1, t + h / 2)
    k3 = v(x + h / 2 * k2, t + h / 2)
    k4 = v(x + h * k3, t + h)
    return x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


SOLVERS: Mapping[str, Callable[[Velocity, Tensor, Tensor, Tensor], Tensor]] = {
    "euler": euler_step,
    "midpoint": midpoint_step,
    "heun": heun_step,
    "rk4": rk4_step,
}


def integrate(
    velocity: Velocity,
    x: Float[Tensor, "b *x"],
    *,
    steps: int,
    solver: Solver = "midpoint",
    start: float = 0.0,
    end: float = 1.0,
) -> Float[Tensor, "b *x"]:
    """x(end) of dx/dt = v(x, t) with x(start) = x, in equal steps; end < start goes back.

    The error falls like hᵖ, with the step h and the solver's order p. Raises UserError for a step count
    under 1 or an unknown solver.
    """
    if steps < 1:
        raise UserError(f"`steps`: {steps}; expected at least 1")
    if solver not in SOLVERS:
        raise UserError(f"`solver`: '{solver}'; expected one of {', '.join(SOLVERS)}")
    step = SOLVERS[solver]
    # In double, then rounded once: summing up h would leave the last time short of `end`.
    times = torch.linspace(start, end, steps + 1, dtype=torch.float64).to(x)
    for t, after in pairwise(times):
        x = step(velocity, x, t, after - t)
    return x


def exact_divergence(
    velocity: Velocity, x: Float[Tensor, "b *x"], t: Float[Tensor, ""]
) -> tuple[Float[Tensor, "b *x"], Float[Tensor, " b"]]:
    """(v, div v = Σ_i ∂v_i/∂x_i) by d vector-Jacobian products, d numbers in a state."""
    d = x[0].numel()
    basis = torch.eye(d, device=x.device, dtype=x.dtype).view(d, 1, *x.shape[1:])
    v, forms = _quadratic_forms(velocity, x, t, basis)
    return v, forms.sum(0)


def hutchinson_divergence(probes: Float[Tensor, "k b *x"]) -> Divergence:
    """div v as the mean of εᵀ(∂v/∂x)ε over k probes ε with E εεᵀ = I: unbiased, at the cost of k products.

    Keep the probes along the whole path: then the integral is unbiased too, and the solver sees a smooth
    function (Grathwohl et al. 2019, *FFJORD*, section 3.1).
    """

    def divergence(velocity: Velocity, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        v, forms = _quadratic_forms(velocity, x, t, probes)
        return v, forms.mean(0)

    return divergence


def rademacher(k: int, like: Float[Tensor, "b *x"]) -> Float[Tensor, "k b *x"]:
    """k probes of random signs for each state: of all with independent entries, those of least variance."""
    signs = torch.randint(0, 2, (len(like), k, *like.shape[1:]), device=like.device)
    return signs.transpose(0, 1).to(like.dtype) * 2 - 1


def transported_log_prob(
    velocity: Velocity,
    x: Float[Tensor, "b *x"],
    log_prob: Callable[[Tensor], Tensor],
    *,
    steps: int,
    solver: Solver = "midpoint",
    divergence: Divergence = exact_divergence,
) -> Float[Tensor, " b"]:
    """ln p_1(x) in nats, where the flow from t = 0 to 1 starts with density p_0.

    ln p_1(x_1) = ln p_0(x_0) - ∫ div v(x_t, t) dt over the path that ends in x_1 = x, found by going back.
    log_prob: ln p_0, (b, *x) -> (b,).
    """

    def augmented(state: Tensor, t: Tensor) -> Tensor:
        v, div = divergence(velocity, state[:, :-1].reshape(x.shape), t)
        return torch.cat([v.flatten(1), div[:, None]], 1)

    state = torch.cat([x.flatten(1), x.new_zeros(len(x), 1)], 1)
    # From 1 back to 0, so that the last column becomes minus the integral from 0 to 1.
    state = integrate(augmented, state, steps=steps, solver=solver, start=1.0, end=0.0)
    return log_prob(state[:, :-1].reshape(x.shape)) + state[:, -1]


def _quadratic_forms(
    velocity: Velocity, x: Tensor, t: Tensor, directions: Float[Tensor, "k #b *x"]
) -> tuple[Float[Tensor, "b *x"], Float[Tensor, "k b"]]:
    """v, and eᵀ(∂v/∂x)e of every state along each direction e. Works under no_grad too."""
    v, pull_back = vjp(lambda state: velocity(state, t), x)[:2]

    def form(e: Tensor) -> Tensor:
        e = e.expand_as(v)
        return (pull_back(e)[0] * e).flatten(1).sum(1)

    return v, vmap(form, chunk_size=max(1, ROWS_AT_ONCE // len(x)))(directions)
