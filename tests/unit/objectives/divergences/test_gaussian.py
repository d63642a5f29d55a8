"""Distances between Gaussians against other people's formulas, other quadratures and their own symmetries."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from pushforward.objectives.divergences import js_normals, kl_gaussians, kl_normals, w1_normals

DOUBLE = torch.float64
PAIRS = [(0, 1, 1, 1), (0, 1, 0, 5), (-2, 0.5, 3, 4), (1, 3, 1.5, 0.2)]
DISTANCES = [kl_normals, js_normals, w1_normals]


def tensors(*values):
    return [torch.tensor(v, dtype=DOUBLE) for v in values]


@pytest.mark.parametrize("pair", PAIRS)
def test_kl_is_torchs(pair):
    mean_p, std_p, mean_q, std_q = tensors(*map(float, pair))
    theirs = kl_divergence(Normal(mean_p, std_p), Normal(mean_q, std_q))
    torch.testing.assert_close(kl_normals(mean_p, std_p, mean_q, std_q), theirs)


def test_kl_in_several_dimensions_is_torchs():
    factors = torch.randn(2, 4, 4, dtype=DOUBLE)
    cov_p, cov_q = factors @ factors.mT + 0.1 * torch.eye(4, dtype=DOUBLE)
    mean_p, mean_q = torch.randn(2, 4, dtype=DOUBLE)
    theirs = kl_divergence(MultivariateNormal(mean_p, cov_p), MultivariateNormal(mean_q, cov_q))
    torch.testing.assert_close(kl_gaussians(mean_p, cov_p, mean_q, cov_q), theirs)


def test_kl_of_one_dimension_is_that_of_several():
    one = kl_normals(*tensors(0.3, 0.7, -1.0, 2.0))
    several = kl_gaussians(*tensors([0.3], [[0.49]], [-1.0], [[4.0]]))
    torch.testing.assert_close(one, several)


@pytest.mark.parametrize("pair", [*PAIRS, (0, 1, 3, 20)])
def test_js_is_that_of_adaptive_quadrature(pair):
    mean_p, std_p, mean_q, std_q = pair

    def integrand(x: float) -> float:
        log_p, log_q = norm.logpdf(x, mean_p, std_p), norm.logpdf(x, mean_q, std_q)
        log_mean = np.logaddexp(log_p, log_q) - math.log(2)
        return 0.5 * np.exp(log_p) * (log_p - log_mean) + 0.5 * np.exp(log_q) * (log_q - log_mean)

    ends = sorted(m + k * s for m, s in ((mean_p, std_p), (mean_q, std_q)) for k in (-12, -2, 2, 12))
    exact = sum(quad(integrand, a, b, epsabs=1e-14)[0] for a, b in pairwise(ends))
    assert js_normals(*tensors(*map(float, pair))).item() == pytest.approx(exact, abs=1e-12)


def test_js_is_symmetric_and_at_most_ln_2():
    p, q = tensors([0.0] * 5, [1.0, 2.0, 0.5, 1.0, 1.0]), tensors([0.0, 1.0, 4.0, 9.0, 30.0], [1.0] * 5)
    there, back = js_normals(*p, *q), js_normals(*q, *p)
    torch.testing.assert_close(there, back)
    assert there[0].abs() < 1e-15
    assert (there[1:] > 0.01).all()
    assert (there <= math.log(2)).all()


def test_the_gradient_of_js_is_right_where_js_is_ln_2_to_the_last_digit():
    """d JS/dm = ½ E_q[(m - x) ln (1 + p/q)], by a quadrature about m/2, where all of it comes from."""
    m = torch.tensor([2.0, 10.0, 30.0], dtype=DOUBLE, requires_grad=True)
    one = torch.ones_like(m)
    js = js_normals(torch.zeros_like(m), one, m, one)
    (slope,) = torch.autograd.grad(js.sum(), m)
    assert js[2].item() == math.log(2)
    for at, measured in zip(m.tolist(), slope.tolist(), strict=True):
        assert measured == pytest.approx(_slope_of_js(at), rel=1e-6, abs=0)


def _slope_of_js(m: float) -> float:
    scale = norm.pdf(m / 2)

    def integrand(x: float) -> float:
        return (m - x) * norm.pdf(x, m) * np.logaddexp(0, m * (m / 2 - x)) / 2 / scale

    return scale * sum(quad(integrand, m / 2 + k, m / 2 + k + 1)[0] for k in range(-20, 20))


@pytest.mark.parametrize("pair", [*PAIRS, (0, 1, 30, 1)])
def test_w1_is_the_area_between_the_distribution_functions(pair):
    mean_p, std_p, mean_q, std_q = pair
    ends = sorted(m + k * s for m, s in ((mean_p, std_p), (mean_q, std_q)) for k in (-10, 0, 10))
    area = sum(
        quad(lambda x: abs(norm.cdf(x, mean_p, std_p) - norm.cdf(x, mean_q, std_q)), a, b, limit=200)[0]
        for a, b in pairwise(ends)
    )
    assert w1_normals(*tensors(*map(float, pair))).item() == pytest.approx(area, rel=1e-6)


def test_w1_of_equal_widths_is_the_shift_with_slope_1():
    m = torch.tensor([-3.0, 0.1, 30.0], dtype=DOUBLE, requires_grad=True)
    one = torch.ones_like(m)
    w1 = w1_normals(torch.zeros_like(m), one, m, one)
    (slope,) = torch.autograd.grad(w1.sum(), m)
    torch.testing.assert_close(w1.detach(), m.detach().abs())
    torch.testing.assert_close(slope, m.detach().sign())


@pytest.mark.parametrize("distance", DISTANCES)
def test_where_the_origin_is_changes_nothing(distance):
    here, there = tensors(0.5, 1.0, 2.0, 3.0), tensors(7.5, 1.0, 9.0, 3.0)
    torch.testing.assert_close(distance(*here), distance(*there))


@pytest.mark.parametrize(("distance", "power"), [(kl_normals, 0), (js_normals, 0), (w1_normals, 1)])
def test_a_unit_is_felt_by_w1_alone(distance, power):
    here, scaled = tensors(0.5, 1.0, 2.0, 3.0), tensors(5.0, 10.0, 20.0, 30.0)
    torch.testing.assert_close(distance(*scaled), distance(*here) * 10**power)
