"""Baselines: what each subtracts, learns and remembers; exact where all draws can be listed."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn
from torch.distributions import Bernoulli, Independent

from pushforward.errors import UserError
from pushforward.objectives.estimators import (
    ESTIMATORS,
    MovingAverage,
    every_value,
    exact,
    muprop,
    nvil,
    rloo,
    score_function,
)
from tests.unit.objectives.estimators.problems import FINITE, coupled, leaf, oracle, weights


@pytest.mark.parametrize(
    ("problem", "estimator"),
    [(problem, score_function) for problem in FINITE]
    + [(problem, muprop) for problem, make in FINITE.items() if ESTIMATORS["muprop"].supports(make())],
)
def test_summing_over_all_values_gives_the_exact_gradient(problem, estimator):
    """Σ_z q(z) × the Jacobian at z, with no Monte Carlo at all."""
    dist = FINITE[problem]()
    f = coupled(weights(dist).detach())
    z = every_value(dist)
    probability = dist.log_prob(z).exp().detach()
    for name, rows in estimator(f, z, dist, jacobians=True).jacobians.items():
        weighted = probability.view(*probability.shape, *[1] * (rows.ndim - probability.ndim)) * rows
        torch.testing.assert_close(weighted.sum(0), oracle(f, dist)[name])


@pytest.mark.parametrize("k", [2, 3])
def test_leave_one_out_is_exact_over_all_tuples_of_draws(k):
    logits = leaf(2)
    dist = Independent(Bernoulli(logits=logits), 1)
    f = lambda z: torch.sin(z @ torch.tensor([1.0, 2.0]).double()) + 5  # noqa: E731
    values = every_value(dist)
    total = torch.zeros(2, dtype=torch.float64)
    for draws in itertools.product(values, repeat=k):
        z = torch.stack(draws)
        (gradient,) = torch.autograd.grad(rloo(f, z, dist).surrogate, logits)
        total += dist.log_prob(z).sum().exp().detach() * gradient
    (wanted,) = torch.autograd.grad(exact(f, 1, dist).surrogate, logits)
    torch.testing.assert_close(total, wanted)


def test_leave_one_out_ignores_a_constant_that_ruins_the_plain_estimator():
    dist = FINITE["bernoulli"]()
    f = coupled(weights(dist).detach())
    shifted = lambda z: f(z) + 1000  # noqa: E731
    z = dist.sample((50,))
    plain, moved = (rloo(g, z, dist, jacobians=True).jacobians["logits"] for g in (f, shifted))
    torch.testing.assert_close(plain, moved)
    noisy = score_function(shifted, z, dist, jacobians=True).jacobians["logits"]
    assert noisy.var(0).mean() > 1000 * plain.var(0).mean()


def test_the_best_constant_baseline_lowers_the_variance():
    """For one bit at p = 1/2, b = E[f] leaves no variance at all; b = 0 leaves (f(0) + f(1))²/16."""
    logit = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    f = lambda b: 3 + b  # noqa: E731
    for baseline, variance in ((3.5, 0.0), (0.0, 49 / 16)):
        z = torch.tensor([[0.0], [1.0]]).double()
        rows = score_function(f, z, Bernoulli(logits=logit), baseline=baseline, jacobians=True).jacobians[
            "logits"
        ]
        assert rows.var(0, correction=0).item() == pytest.approx(variance)


def test_the_moving_average_is_unbiased_from_its_first_update_and_is_state():
    average = MovingAverage(decay=0.9)
    assert average() == 0
    average.update(torch.full((2, 3), 4.0))
    assert average().item() == pytest.approx(4)
    average.update(torch.tensor(10.0, dtype=torch.bfloat16))
    assert average().item() == pytest.approx((0.9 * 4 + 10) / 1.9)
    restored = MovingAverage(decay=0.9)
    restored.load_state_dict(average.state_dict())
    assert restored() == average()
    with pytest.raises(UserError, match=r"decay: given 1\.0"):
        MovingAverage(decay=1.0)


def test_nvil_teaches_its_baseline_the_mean_of_f():
    dist = FINITE["bernoulli"]()
    f = coupled(weights(dist).detach())
    x = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)
    linear = nn.Linear(4, 1, dtype=torch.float64)
    z = dist.sample((20,))
    surrogate, _ = nvil(f, z, dist, baseline=nn.Sequential(linear, nn.Flatten(0)), context=x, constant=0.5)
    surrogate.backward()
    error = linear(x).squeeze(-1) + 0.5 - f(z)
    (wanted,) = torch.autograd.grad(error.square().sum() / 20, linear.weight)
    torch.testing.assert_close(linear.weight.grad, wanted)
    assert x.grad is None  # the encoder learns nothing from the baseline's error


def test_nvil_refuses_a_baseline_that_would_broadcast():
    dist = FINITE["bernoulli"]()
    with pytest.raises(
        UserError, match=r"baseline: returned shape \(2, 1\), expected the batch shape \(2,\)"
    ):
        nvil(lambda z: z.sum(-1), 3, dist, baseline=nn.Linear(4, 1), context=torch.ones(2, 4))


def test_baselines_that_would_enlarge_the_batch_are_refused():
    dist = FINITE["bernoulli"]()
    f = lambda z: z.sum(-1)  # noqa: E731
    with pytest.raises(
        UserError, match=r"baseline: given shape \(2, 1\), expected a number or the batch shape"
    ):
        score_function(f, 3, dist, baseline=torch.ones(2, 1))
    with pytest.raises(UserError, match=r"constant: given shape \(2, 1\)"):
        nvil(f, 3, dist, baseline=lambda x: x, context=torch.zeros(2), constant=torch.ones(2, 1))


def test_muprop_has_no_variance_where_f_is_linear():
    dist = FINITE["bernoulli"]()
    phi = weights(dist).detach()
    rows = muprop(lambda z: z @ phi, 30, dist, jacobians=True).jacobians["logits"]
    torch.testing.assert_close(rows, rows[:1].expand_as(rows))
