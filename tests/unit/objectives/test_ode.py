"""Solvers and densities of flows that are known in closed form."""

from __future__ import annotations

import inspect
import itertools
import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from pushforward.errors import UserError
from pushforward.objectives import ode
from pushforward.objectives.elbo import gaussian_log_prob
from pushforward.objectives.montecarlo import power_law_slope
from pushforward.objectives.ode import (
    SOLVERS,
    exact_divergence,
    hutchinson_divergence,
    integrate,
    rademacher,
    transported_log_prob,
)

A = torch.tensor([[0.3, -1.2, 0.1], [0.9, -0.4, 0.5], [0.0, 0.6, 0.2]], dtype=torch.float64)
B = torch.tensor([0.5, -1.0, 0.3], dtype=torch.float64)
ORDERS = {"euler": 1, "midpoint": 2, "heun": 2, "rk4": 4}


def growing(x: Tensor, t: Tensor) -> Tensor:
    """dx/dt = 2t Ax, so that x(1) = exp(A) x(0): a solver must ask at the right times."""
    return 2 * t * x @ A.T


def affine(x: Tensor, t: Tensor) -> Tensor:
    return x @ A.T + B


def standard_normal(x: Tensor) -> Tensor:
    zero = torch.zeros_like(x).flatten(1)
    return gaussian_log_prob(x.flatten(1), zero, zero)


class Curved(nn.Module):
    """A velocity of images that mixes all their pixels and the time."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        d = math.prod(shape)
        self.layers = nn.Sequential(nn.Linear(d + 1, 7), nn.Tanh(), nn.Linear(7, d)).double()

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        flat = torch.cat([x.flatten(1), t.expand(len(x), 1)], 1)
        return self.layers(flat).view(x.shape)


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_error_falls_with_the_power_of_the_step(solver):
    x = torch.randn(5, 3, dtype=torch.float64)
    exact = x @ torch.linalg.matrix_exp(A).T
    steps = [8, 16, 32, 64]
    errors = [(integrate(growing, x, steps=n, solver=solver) - exact).abs().max().item() for n in steps]
    slope, _ = power_law_slope(steps, errors)
    assert slope == pytest.approx(-ORDERS[solver], abs=0.2)


@pytest.mark.parametrize("solver", SOLVERS)
def test_one_step_of_a_linear_flow_is_the_taylor_polynomial(solver):
    """x + hAx + ... + (hA)^p x / p! for a method of order p with p evaluations."""
    x = torch.randn(4, 3, dtype=torch.float64)
    terms = [torch.linalg.matrix_power(0.5 * A, k) / math.factorial(k) for k in range(ORDERS[solver] + 1)]
    moved = integrate(lambda x, t: x @ A.T, x, steps=1, solver=solver, end=0.5)
    torch.testing.assert_close(moved, x @ sum(terms).T)


@pytest.mark.parametrize("solver", SOLVERS)
def test_back_after_forth_is_where_it_was(solver):
    x = torch.randn(6, 1, 2, 2, dtype=torch.float64)
    velocity, steps = Curved((1, 2, 2)), {"euler": 2000, "midpoint": 100, "heun": 100, "rk4": 20}[solver]
    with torch.no_grad():
        there = integrate(velocity, x, steps=steps, solver=solver)
        back = integrate(velocity, there, steps=steps, solver=solver, start=1.0, end=0.0)
    assert (there - x).abs().max() > 0.1
    assert (back - x).abs().max() < (1e-3 if solver == "euler" else 1e-4)


def test_times_run_from_start_to_end_exactly():
    seen = []

    def velocity(x: Tensor, t: Tensor) -> Tensor:
        seen.append(t.item())
        return torch.zeros_like(x)

    integrate(velocity, torch.zeros(1, 1), steps=10, solver="heun")
    assert (seen[0], seen[-1]) == (0.0, 1.0)
    integrate(velocity, torch.zeros(1, 1), steps=7, solver="heun", start=1.0, end=0.0)
    assert seen[-1] == 0.0


@pytest.mark.parametrize("shape", [(3,), (2, 2, 3)])
@pytest.mark.parametrize("at_once", [1, 5, 4096])
def test_the_divergence_is_the_trace_of_the_jacobian(shape, at_once, monkeypatch):
    monkeypatch.setattr(ode, "ROWS_AT_ONCE", at_once)
    velocity, x, t = Curved(shape), torch.randn(4, *shape, dtype=torch.float64), torch.tensor(0.3).double()
    v, divergence = exact_divergence(velocity, x, t)
    torch.testing.assert_close(v, velocity(x, t))
    for row, found in zip(x, divergence, strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda y: velocity(y[None], t)[0], row)
        d = row.numel()
        assert found.item() == pytest.approx(jacobian.reshape(d, d).trace().item(), rel=1e-10)


def test_hutchinson_over_all_signs_is_the_trace():
    """E εᵀJε over the 2^d sign vectors, by enumeration; a single one is off."""
    velocity, x = Curved((4,)), torch.randn(3, 4, dtype=torch.float64)
    t = torch.tensor(0.6).double()
    signs = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=4)), dtype=torch.float64)
    _, exact = exact_divergence(velocity, x, t)
    _, every = hutchinson_divergence(signs[:, None].expand(16, 3, 4))(velocity, x, t)
    _, one = hutchinson_divergence(signs[3:4, None].expand(1, 3, 4))(velocity, x, t)
    torch.testing.assert_close(every, exact)
    assert (one - exact).abs().min() > 1e-4


def test_probes_are_fair_signs():
    probes = rademacher(4000, torch.zeros(2, 3))
    assert probes.shape == (4000, 2, 3)
    assert torch.equal(probes.abs(), torch.ones_like(probes))
    assert probes.mean(0).abs().max() < 5 / math.sqrt(4000)
    second = torch.einsum("kbi,kbj->bij", probes, probes) / 4000
    assert (second - torch.eye(3)).abs().max() < 5 / math.sqrt(4000)


def flow_of_the_affine() -> MultivariateNormal:
    """Where dx/dt = Ax + b carries N(0, I): a Gaussian, from the exponential of [[A, b], [0, 0]]."""
    block = torch.zeros(4, 4, dtype=torch.float64)
    block[:3, :3], block[:3, 3] = A, B
    whole = torch.linalg.matrix_exp(block)
    return MultivariateNormal(whole[:3, 3], whole[:3, :3] @ whole[:3, :3].T)


@pytest.mark.parametrize(("solver", "steps"), [("rk4", 50), ("midpoint", 300)])
def test_a_linear_flow_carries_the_gaussian_density(solver, steps):
    exact = flow_of_the_affine()
    x = exact.sample((20,)) + torch.randn(20, 3, dtype=torch.float64)  # off the bulk too
    found = transported_log_prob(affine, x, standard_normal, steps=steps, solver=solver)
    torch.testing.assert_close(found, exact.log_prob(x), rtol=1e-4, atol=1e-5)
    # The part of the determinant is there: trace(A) = 0.1.
    start = integrate(affine, x, steps=steps, solver=solver, start=1.0, end=0.0)
    torch.testing.assert_close(found - standard_normal(start), torch.full((20,), -0.1).double())


def test_the_mean_over_all_probes_is_the_density_of_a_curved_flow():
    """One probe for the whole path: the integral is linear in εεᵀ, so its mean is exact."""
    velocity, x = Curved((1, 1, 3)), torch.randn(2, 1, 1, 3, dtype=torch.float64)
    exact = transported_log_prob(velocity, x, standard_normal, steps=10, solver="rk4")
    each = [
        transported_log_prob(
            velocity,
            x,
            standard_normal,
            steps=10,
            solver="rk4",
            divergence=hutchinson_divergence(
                torch.tensor(signs).double().expand(1, 2, 3).view(1, 2, 1, 1, 3)
            ),
        )
        for signs in itertools.product([-1.0, 1.0], repeat=3)
    ]
    torch.testing.assert_close(torch.stack(each).mean(0), exact)
    assert torch.stack(each).std(0).min() > 1e-3


def test_a_density_needs_no_graph_and_can_have_one():
    velocity, x = Curved((3,)), torch.randn(2, 3, dtype=torch.float64)
    with torch.no_grad():
        alone = transported_log_prob(velocity, x, standard_normal, steps=4)
    assert not alone.requires_grad
    x.requires_grad_()
    found = transported_log_prob(velocity, x, standard_normal, steps=4)
    torch.testing.assert_close(found, alone)
    assert torch.autograd.gradcheck(lambda x: transported_log_prob(velocity, x, standard_normal, steps=2), x)


@pytest.mark.parametrize(
    ("how", "says"),
    [({"steps": 0}, "`steps`: 0; expected at least 1"), ({"steps": 1, "solver": "rk5"}, "'rk5'.*euler")],
)
def test_what_cannot_be_is_said(how, says):
    with pytest.raises(UserError, match=says):
        inspect.unwrap(integrate)(affine, torch.zeros(1, 3), **how)  # past the checks of types
