"""Gumbel-Max, the relaxed variables and their conditional draws, temperatures."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import stats
from torch.distributions import Bernoulli, Independent, OneHotCategorical

from pushforward.errors import UserError
from pushforward.objectives.estimators import (
    annealed_temperature,
    gumbel_max,
    gumbel_softmax,
    pathwise,
    straight_through,
    straight_through_gumbel,
)
from pushforward.objectives.estimators.noise import exponential, gumbel, logistic
from pushforward.objectives.estimators.relaxations import conditional_logits, harden, perturbed_logits
from tests.unit.objectives.estimators.problems import FINITE, coupled, leaf, normal, weights

FACTORS = [
    Bernoulli(logits=torch.tensor([0.3, -2.0, 3.0], dtype=torch.float64)),
    OneHotCategorical(logits=torch.tensor([[0.3, -2.0, 1.0, 0.0]], dtype=torch.float64)),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gumbel_max_draws_from_the_categorical(dtype):
    """χ² over the categories, at p > 1e-4."""
    logits = torch.tensor([[1.0, -1.0, 0.5, -3.0], [0.0, 0.0, 0.0, 2.0]], dtype=dtype)
    n = 50_000
    draws = gumbel_max(logits, n)
    assert draws.shape == (n, 2)
    for row, drawn in zip(logits.double().softmax(-1), draws.T, strict=True):
        counts = torch.bincount(drawn, minlength=4)
        assert stats.chisquare(counts.numpy(), (n * row).numpy()).pvalue > 1e-4


def test_gumbel_max_is_safe_at_extreme_logits():
    draws = gumbel_max(torch.tensor([30.0, -30.0, -torch.inf], dtype=torch.bfloat16), 10_000)
    assert (draws == 0).all()


@pytest.mark.parametrize(
    ("noise", "law"), [(exponential, "expon"), (gumbel, "gumbel_r"), (logistic, "logistic")]
)
def test_noise_has_its_law_and_is_finite(noise, law):
    x = noise(torch.empty(200_000, dtype=torch.bfloat16))
    assert x.dtype == torch.float32
    assert x.isfinite().all()
    assert stats.kstest(x.double().numpy(), law).pvalue > 1e-4


@pytest.mark.parametrize("factors", FACTORS, ids=lambda d: type(d).__name__)
def test_hardening_gives_the_discrete_law(factors):
    n = 50_000
    b = harden(factors, perturbed_logits(factors.expand((n, *factors.batch_shape))))
    p = factors.probs
    z = (b.mean(0) - p) / (p * (1 - p) / n).sqrt()
    assert z.abs().max() < 4.5


@pytest.mark.parametrize("factors", FACTORS, ids=lambda d: type(d).__name__)
def test_conditional_draws_keep_the_discrete_value_and_the_law(factors):
    """z̃ | b with b ~ q is distributed as z, coordinate by coordinate, and H(z̃) = b."""
    many = factors.expand((20_000, *factors.batch_shape))
    z = perturbed_logits(many)
    b = harden(many, perturbed_logits(many))
    z_tilde = conditional_logits(many, b)
    assert torch.equal(harden(many, z_tilde), b)
    for one, other in zip(z.flatten(1).T, z_tilde.flatten(1).T, strict=True):
        assert stats.ks_2samp(one.numpy(), other.numpy()).pvalue > 1e-4


@pytest.mark.parametrize("sign", [1, -1])
def test_conditional_draws_at_extreme_logits_are_finite(sign):
    for factors in (
        Bernoulli(logits=sign * torch.full((500,), 30.0)),
        OneHotCategorical(logits=sign * torch.tensor([30.0, -30.0, 0.0]).expand(500, 3)),
    ):
        b = 1 - factors.mode if isinstance(factors, Bernoulli) else torch.eye(3)[torch.arange(500) % 3]
        z = conditional_logits(factors, b)  # given what almost never happens, too
        assert z.isfinite().all()
        assert torch.equal(harden(factors, z), b)


def test_straight_through_gumbel_hands_f_discrete_values_exactly():
    seen = []
    for estimator, options in ((straight_through_gumbel, {"temperature": 0.3}), (straight_through, {})):
        estimator(lambda z: seen.append(z) or z.sum((-1, -2)), 100, FINITE["one-hot"](), **options)
    for z in seen:
        assert set(z.detach().unique().tolist()) == {0.0, 1.0}
        assert torch.equal(z.detach().sum(-1), torch.ones_like(z[..., 0]))


def test_the_relaxed_value_is_inside_the_simplex():
    def f(y):
        assert ((y > 0) & (y < 1)).all()
        torch.testing.assert_close(y.sum(-1), torch.ones_like(y[..., 0]))
        return y.square().sum((-1, -2))

    gumbel_softmax(f, 100, FINITE["one-hot"](), temperature=1.0).surrogate.backward()


def test_annealing_goes_down_in_stairs_to_its_floor():
    assert annealed_temperature(0) == 1
    assert annealed_temperature(5_000) == pytest.approx(math.exp(-0.5))
    assert annealed_temperature(1_999, rate=1e-3, every=1000, floor=0.1) == pytest.approx(math.exp(-1))
    assert annealed_temperature(10**9) == 0.5
    for wrong in ({"rate": -1.0}, {"floor": 0.0}, {"every": 0}):
        with pytest.raises(UserError, match="annealed_temperature: given"):
            annealed_temperature(1, **wrong)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan, math.inf])
def test_a_temperature_must_be_positive(temperature):
    for estimator in (gumbel_softmax, straight_through_gumbel):
        with pytest.raises(UserError, match=r"temperature: given .*expected a finite number above 0; anneal"):
            estimator(lambda z: z.sum(-1), 2, FINITE["bernoulli"](), temperature=temperature)


@pytest.mark.parametrize("problem", ["bernoulli", "one-hot", "normal"])
def test_differentiated_paths_pass_gradcheck_under_fixed_noise(problem):
    """The relaxation and the Gaussian path by every parameter, f's own included."""
    dist = normal() if problem == "normal" else FINITE[problem]()
    phi = weights(dist)

    def surrogate(*inputs):
        torch.manual_seed(3)
        *theta, w = inputs
        if problem == "normal":
            q = Independent(torch.distributions.Normal(*theta), 1)
            return pathwise(coupled(w), 3, q).surrogate
        q = Independent(type(dist.base_dist)(logits=theta[0]), 1)
        return gumbel_softmax(coupled(w), 3, q, temperature=0.6).surrogate

    theta = [leaf(2, 3), leaf(2, 3).exp()] if problem == "normal" else [leaf(*dist.base_dist.logits.shape)]
    inputs = [p.detach().requires_grad_() for p in (*theta, phi)]
    assert torch.autograd.gradcheck(surrogate, inputs)
