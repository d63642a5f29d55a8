"""The estimators that say so are unbiased; the others have the bias that their table row admits."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Bernoulli, Gamma, Independent, MultivariateNormal, Normal, OneHotCategorical

from pushforward.objectives.estimators import ESTIMATORS, FUNCTIONS, gumbel_softmax, pathwise, score_function
from tests.unit.objectives.estimators.problems import (
    BOUND,
    FINITE,
    additive,
    additive_gradient,
    call,
    coupled,
    largest_z,
    normal,
    options,
    oracle,
    weights,
    z_score,
)

UNBIASED = [name for name, row in ESTIMATORS.items() if row.unbiased and name != "exact"]
BIASED = [name for name, row in ESTIMATORS.items() if not row.unbiased]
ON_FINITE = [
    (name, problem)
    for name in UNBIASED
    for problem, make in FINITE.items()
    if ESTIMATORS[name].supports(make())
]
ON_NORMAL = [name for name in UNBIASED if ESTIMATORS[name].supports(normal())]


@pytest.mark.parametrize(("name", "problem"), ON_FINITE)
def test_agrees_with_enumeration(name, problem):
    dist = FINITE[problem]()
    f = coupled(weights(dist).detach())
    independent = ESTIMATORS[name].independent
    z = largest_z(
        lambda n: call(name, f, n, dist),
        oracle(f, dist),
        samples=20_000 if independent else 3,
        repeats=1 if independent else 600,
    )
    assert z < BOUND


@pytest.mark.parametrize("name", ON_NORMAL)
def test_agrees_with_quadrature(name):
    dist = normal()
    independent = ESTIMATORS[name].independent
    z = largest_z(
        lambda n: call(name, additive, n, dist),
        additive_gradient(dist),
        samples=20_000 if independent else 3,
        repeats=1 if independent else 600,
    )
    assert z < BOUND


@pytest.mark.parametrize("name", UNBIASED)
def test_surrogate_carries_the_gradient_by_theta_and_by_phi(name):
    """Its own backward, averaged over 300 estimates of 16 draws, against the exact expectation's."""
    dist = normal() if name == "pathwise" else FINITE["bernoulli"]()
    if name == "pathwise":  # E[(φ·z)²] = (φ·μ)² + Σ φ²σ²
        phi = weights(dist)
        theta = [dist.base_dist.loc, dist.base_dist.scale]
        closed = ((theta[0] @ phi).square() + theta[1].square() @ phi.square()).sum()
        f = lambda z: (z @ phi).square()  # noqa: E731
    else:
        phi = weights(dist)
        theta = [dist.base_dist.logits]
        f = coupled(phi)
        closed = FUNCTIONS["exact"](f, 1, dist).surrogate
    wanted = torch.autograd.grad(closed, [*theta, phi])
    state = options(name)
    rows = [
        torch.autograd.grad(FUNCTIONS[name](f, 16, dist, **state).surrogate, [*theta, phi])
        for _ in range(300)
    ]
    for exact_gradient, *draws in zip(wanted, *rows, strict=True):
        x = torch.stack(draws)
        assert z_score(x.mean(0) - exact_gradient, x.std(0) / len(x) ** 0.5) < BOUND


@pytest.mark.parametrize("name", BIASED)
@pytest.mark.parametrize("problem", ["bernoulli", "one-hot"])
def test_the_biased_ones_are_biased(name, problem):
    """More than ten standard errors from enumeration, so the label is not mere caution."""
    dist = FINITE[problem]()
    f = coupled(weights(dist).detach())
    assert largest_z(lambda n: call(name, f, n, dist), oracle(f, dist)) > 10


def test_straight_through_has_the_bias_that_its_formula_says():
    """f = (b - k)²: the truth is (1 - 2k) p(1-p), straight-through's mean is 2(p - k) p(1-p)."""
    logit = torch.tensor([1.2], dtype=torch.float64, requires_grad=True)
    dist, p = Bernoulli(logits=logit), torch.tensor(1.2).double().sigmoid()
    f = lambda b: (b - 0.3).square()  # noqa: E731
    slope = p * (1 - p)
    assert oracle(f, dist)["logits"].item() == pytest.approx(float(0.4 * slope))
    biased = {"logits": (2 * (p - 0.3) * slope).reshape(1)}
    assert largest_z(lambda n: call("straight-through", f, n, dist), biased) < BOUND


def test_straight_through_is_exact_where_f_is_linear():
    dist = FINITE["one-hot"]()
    phi = weights(dist).detach()
    f = lambda z: z.flatten(2) @ phi  # noqa: E731
    assert largest_z(lambda n: call("straight-through", f, n, dist), oracle(f, dist), samples=500) < 1e-3


@pytest.mark.parametrize("problem", ["bernoulli", "one-hot"])
def test_the_bias_of_gumbel_softmax_shrinks_with_the_temperature(problem):
    dist = FINITE[problem]()
    phi = weights(dist).detach()
    f = lambda z: (z.flatten(2) @ phi - 0.3).square()  # noqa: E731
    truth = oracle(f, dist)["logits"]
    bias = []
    for temperature in (2.0, 0.5, 0.1):
        (rows,) = gumbel_softmax(f, 100_000, dist, temperature=temperature, jacobians=True).jacobians.values()
        bias.append(float((rows.mean(0) - truth).norm()))
    assert bias[0] > 1.2 * bias[1]
    assert bias[1] > 1.5 * bias[2]


def test_pathwise_and_score_function_agree_on_other_families():
    """Gamma E[z²] = a(a+1)/r², and a full-covariance Gaussian E[‖z‖²] = ‖μ‖² + ‖L‖²."""
    a, r = (torch.tensor([v], dtype=torch.float64, requires_grad=True) for v in (2.5, 1.5))
    wanted = {"concentration": (2 * a + 1) / r**2, "rate": -2 * a * (a + 1) / r**3}
    for estimator in (pathwise, score_function):
        z = largest_z(lambda n, e=estimator: e(torch.square, n, Gamma(a, r), jacobians=True), wanted)
        assert z < BOUND
    mu = torch.tensor([0.3, -1.0], dtype=torch.float64, requires_grad=True)
    tril = torch.tensor([[1.0, 0.0], [0.5, 0.8]], dtype=torch.float64, requires_grad=True)
    gaussian = MultivariateNormal(mu, scale_tril=tril)
    wanted = {"loc": 2 * mu, "scale_tril": 2 * tril}
    for estimator in (pathwise, score_function):
        z = largest_z(
            lambda n, e=estimator: e(lambda x: x.square().sum(-1), n, gaussian, jacobians=True), wanted
        )
        assert z < BOUND


@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_extreme_bfloat16_logits(name):
    """Logits of ±30 in bfloat16: finite, and as right as in double."""
    if name == "pathwise":
        mu = torch.tensor([[30.0, -30.0, 0.0]], dtype=torch.bfloat16, requires_grad=True)
        theta, dist = mu, Independent(Normal(mu, torch.full_like(mu, 1e-4)), 1)
        wanted = mu.detach().double().cos()
        f = lambda z: z.double().sin().sum(-1)  # noqa: E731
    elif ESTIMATORS[name].latents == ("Bernoulli",):
        theta = torch.tensor([[30.0, -30.0, 0.5]] * 2, dtype=torch.bfloat16, requires_grad=True)
        dist = Independent(Bernoulli(logits=theta), 1)
    else:
        rows = [[30.0, -30.0, 29.0], [0.0, 0.5, -30.0]]
        theta = torch.tensor([rows] * 2, dtype=torch.bfloat16, requires_grad=True)
        dist = Independent(OneHotCategorical(logits=theta), 1)
    if name != "pathwise":
        f = coupled(weights(dist).detach())
        exactly = theta.detach().double().requires_grad_()
        same = type(dist.base_dist)(logits=exactly)
        (wanted,) = torch.autograd.grad(FUNCTIONS["exact"](f, 1, Independent(same, 1)).surrogate, exactly)
    n = 5_000
    surrogate, jacobians = call(name, f, n, dist)
    (rows,) = (j for key, j in jacobians.items() if key in ("logits", "loc"))
    surrogate.backward()
    assert torch.isfinite(surrogate)
    assert theta.grad.dtype == torch.bfloat16
    assert torch.isfinite(theta.grad).all()
    assert rows.isfinite().all()
    mean = rows.double().mean(0)
    if ESTIMATORS[name].unbiased:
        error = rows.double().std(0) / n**0.5 if len(rows) > 1 else torch.zeros_like(mean)
        assert z_score(mean - wanted, error + 2e-5) < BOUND  # float32 inside: 9e-5 is rounding
    else:
        assert mean.abs().max() < 5
