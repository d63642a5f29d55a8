"""Quadrature against closed forms, and the estimators' variances against quadrature."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Normal

from pushforward.errors import UserError
from pushforward.objectives.estimators import FUNCTIONS, measure_valued
from pushforward.objectives.estimators.quadrature import (
    bell,
    cosine,
    gaussian_gradient,
    gaussian_moments,
    legendre,
    square,
)
from pushforward.objectives.montecarlo import measure_estimator

MU, SIGMA = 0.7, 1.3
FAMILIES = ("score-function", "pathwise", "measure-valued")


def closed_forms(kind, k):
    """∂μ and ∂σ of E[(x-k)²], E[exp(-kx²)] and E[cos kx]."""
    if kind is square:
        return 2 * (MU - k), 2 * SIGMA
    if kind is bell:
        s = 1 + 2 * k * SIGMA**2
        value = s**-0.5 * math.exp(-k * MU**2 / s)
        return -2 * k * MU / s * value, 2 * k * SIGMA * (2 * k * MU**2 / s**2 - 1 / s) * value
    damping = math.exp(-(k**2) * SIGMA**2 / 2)
    return -k * math.sin(k * MU) * damping, -(k**2) * SIGMA * math.cos(k * MU) * damping


@pytest.mark.parametrize("kind", [square, bell, cosine])
@pytest.mark.parametrize("k", [0.1, 1.0, 3.0])
def test_gradients_are_the_closed_forms(kind, k):
    for family in FAMILIES:
        mean = gaussian_moments(family, kind(k), MU, SIGMA).mean
        assert (mean["loc"], mean["scale"]) == pytest.approx(closed_forms(kind, k), rel=1e-9, abs=1e-12)
    assert (
        gaussian_gradient(kind(k), MU, SIGMA) == gaussian_moments("score-function", kind(k), MU, SIGMA).mean
    )


def test_variances_of_the_square_are_the_closed_forms():
    """With a = μ - k: pathwise 4σ² by μ, and 4a² + 8σ² - ... by σ from the moments of ε."""
    k = 0.2
    a = MU - k
    moments = gaussian_moments("pathwise", square(k), MU, SIGMA).variance
    assert moments["loc"] == pytest.approx(4 * SIGMA**2)
    assert moments["scale"] == pytest.approx(4 * a**2 + 8 * SIGMA**2)  # Var[2aε + 2σε²]
    # (a + σε)² ε/σ has second moment (a⁴ + 18 a²σ² + 15 σ⁴)/σ² and mean 2a
    score = gaussian_moments("score-function", square(k), MU, SIGMA).variance["loc"]
    assert score == pytest.approx((a**4 + 18 * a**2 * SIGMA**2 + 15 * SIGMA**4) / SIGMA**2 - 4 * a**2)
    # measure-valued by μ: 4aσW/(σ√2π) with Var W = 2 - π/2
    coupled = gaussian_moments("measure-valued", square(k), MU, SIGMA).variance["loc"]
    assert coupled == pytest.approx(16 * a**2 / (2 * math.pi) * (2 - math.pi / 2))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("kind", "k"), [(square, 2.0), (bell, 0.5), (cosine, 0.5), (cosine, 4.0)])
def test_measured_variances_match_quadrature(family, kind, k):
    """Within 4.5 standard errors of the measured variance, over 100,000 draws; means likewise."""
    dist = Normal(*(torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (MU, SIGMA)))
    exact = gaussian_moments(family, kind(k), MU, SIGMA)
    measured = measure_estimator(
        lambda n: FUNCTIONS[family](kind(k), n, dist, jacobians=True),
        samples=100_000,
        repeats=1,
        oracle={name: torch.tensor(value) for name, value in exact.mean.items()},
        per_sample=True,
    )
    for name, wanted in exact.variance.items():
        variance = measured.variance[name]
        assert abs(variance.value - wanted) < 4.5 * variance.standard_error
        assert abs(measured.bias[name].value) < 4.5 * measured.bias[name].standard_error


def test_a_baseline_is_part_of_the_exact_variance():
    plain = gaussian_moments("score-function", square(5.0), MU, SIGMA)
    centred = gaussian_moments("score-function", square(5.0), MU, SIGMA, baseline=(MU - 5) ** 2 + SIGMA**2)
    assert centred.mean["loc"] == pytest.approx(plain.mean["loc"])
    assert centred.variance["loc"] < plain.variance["loc"] / 2


def test_the_pathwise_estimator_loses_where_f_turns_fast():
    """cos(kx): the slope grows with k, the values do not."""
    slow, fast = (
        {e: gaussian_moments(e, cosine(k), MU, SIGMA).variance["loc"] for e in FAMILIES} for k in (0.5, 8.0)
    )
    assert slow["pathwise"] < slow["score-function"]
    assert fast["pathwise"] > 10 * fast["score-function"]


def test_coupling_lowers_the_variance_by_the_scale():
    """Uncoupled, the two draws' variances would add: Var f(μ + σM) + Var f(μ + σε), over σ²."""
    f = bell(0.5)
    dist = Normal(
        torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64, requires_grad=True)
    )
    coupled = measure_valued(f, 50_000, dist, jacobians=True).jacobians["scale"].var()
    maxwell = torch.randn(3, 50_000).norm(dim=0)
    assert coupled < 0.9 * (f(maxwell).var() + f(torch.randn(50_000)).var())


def test_the_rule_integrates_polynomials_exactly():
    x, w = legendre(-1.0, 2.0, 3)
    assert (x**7 * w).sum().item() == pytest.approx((2**8 - 1) / 8, rel=1e-13)


def test_other_estimators_have_no_quadrature():
    with pytest.raises(UserError, match="estimator: given 'rloo', expected one of score-function"):
        gaussian_moments("rloo", square(1.0), MU, SIGMA)
