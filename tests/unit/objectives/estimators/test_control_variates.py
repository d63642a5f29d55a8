"""REBAR and RELAX learn their control on Σ ĝ²; ARM and DisARM compared; MuProp, measure-valued limits."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.distributions import Bernoulli, Independent

from pushforward.errors import UserError
from pushforward.objectives.estimators import (
    MovingAverage,
    RelaxControl,
    arm,
    disarm,
    every_value,
    exact,
    measure_valued,
    rebar,
    relax,
    rloo,
    score_function,
    straight_through,
)
from tests.unit.objectives.estimators.problems import FINITE, coupled, leaf, oracle, weights


class Network(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, 8), nn.Tanh(), nn.Linear(8, 1)).double()

    def forward(self, z):
        return self.layers(z.reshape(*z.shape[:2], -1).double()).squeeze(-1)


def second_moment(estimator, f, dist, control):
    """Mean over draws of Σ ĝ², under one seed; the Jacobians are ĝ."""
    torch.manual_seed(5)
    rows = estimator(f, 40, dist, control=control, jacobians=True).jacobians["logits"]
    return rows.square().sum().item() / 40


@pytest.mark.parametrize("problem", ["bernoulli", "one-hot"])
@pytest.mark.parametrize("estimator", [rebar, relax])
def test_the_control_gets_the_derivative_of_the_second_moment(problem, estimator):
    """Against central differences in η, τ and a bias of the network."""
    dist = FINITE[problem]()
    f = coupled(weights(dist).detach())
    network = Network(dist.event_shape.numel()) if estimator is relax else None
    control = RelaxControl(network, temperature=0.8).double()
    torch.manual_seed(5)
    estimator(f, 40, dist, control=control).surrogate.backward()
    moved = [control.eta, control.log_temperature]
    moved += [network.layers[0].bias] if network else []
    for parameter in moved:
        found = parameter.grad.flatten()[0].item()
        ends = []
        for step in (1e-5, -1e-5):
            parameter.data.view(-1)[0] += step
            ends.append(second_moment(estimator, f, dist, control))
            parameter.data.view(-1)[0] -= step
        assert found == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-4, abs=1e-7)


def test_training_the_control_lowers_the_variance():
    dist = FINITE["bernoulli"]()
    f = coupled(weights(dist).detach())
    control = RelaxControl(Network(3)).double()
    before = second_moment(relax, f, dist, control)
    adam = torch.optim.Adam(control.parameters(), lr=0.02)
    for _ in range(150):
        adam.zero_grad()
        relax(f, 20, dist, control=control).surrogate.backward(inputs=list(control.parameters()))
        adam.step()
    assert second_moment(relax, f, dist, control) < 0.7 * before


def test_a_frozen_control_costs_no_second_derivative_and_changes_nothing():
    dist = FINITE["bernoulli"]()
    f = coupled(weights(dist).detach())
    control = RelaxControl().double()
    wanted = second_moment(rebar, f, dist, control)
    assert second_moment(rebar, f, dist, control.requires_grad_(False)) == wanted


def test_relax_takes_a_black_box():
    """f counts with integers: no gradient, no value between 0 and 1."""
    dist = FINITE["bernoulli"]()

    def parity(z):
        assert ((z == 0) | (z == 1)).all()
        return (z.detach().long().sum(-1) % 2).double()

    control = RelaxControl(Network(3), use_f=False)
    rows = relax(parity, 20_000, dist, control=control, jacobians=True).jacobians["logits"]
    z = (rows.mean(0) - oracle(parity, dist)["logits"]) / (rows.std(0) / 20_000**0.5)
    assert z.abs().max() < 4.5


def test_controls_of_the_wrong_kind_are_refused():
    dist = FINITE["bernoulli"]()
    f = coupled(weights(dist).detach())
    with pytest.raises(UserError, match="control: given one with a network"):
        rebar(f, 2, dist, control=RelaxControl(Network(3)))
    with pytest.raises(UserError, match=r"control: returned shape \(4, 2, 3\).*expected \(4, 2\)"):
        relax(f, 2, dist, control=RelaxControl(torch.tanh, use_f=False))


def test_disarm_has_less_variance_than_arm_and_both_less_than_the_plain_one():
    dist = FINITE["bernoulli"]()
    f = lambda z: coupled(weights(dist).detach())(z) + 2  # noqa: E731
    plain, first, second = (
        e(f, 20_000, dist, jacobians=True).jacobians["logits"].var(0).sum()
        for e in (score_function, arm, disarm)
    )
    assert second < first < plain


def test_arm_and_disarm_have_the_variance_of_their_formulas():
    """One bit at φ = 0, f = b: ARM's draw is |u - 1/2|, of mean 1/4 and variance 1/48; DisARM's is 1/4."""
    dist = Bernoulli(logits=torch.zeros(1, dtype=torch.float64, requires_grad=True))
    rows = arm(lambda b: b, 50_000, dist, jacobians=True).jacobians["logits"]
    assert rows.mean().item() == pytest.approx(1 / 4, abs=4.5 * (1 / 48 / 50_000) ** 0.5)
    assert rows.var().item() == pytest.approx(1 / 48, rel=0.03)
    rows = disarm(lambda b: b, 50, dist, jacobians=True).jacobians["logits"]
    torch.testing.assert_close(rows, torch.full_like(rows, 1 / 4))


def test_measure_valued_of_one_bit_is_exact():
    """f(1) - f(0) has no variance: the Jacobian of every draw is the gradient."""
    dist = Bernoulli(logits=leaf(4))
    rows = measure_valued(torch.exp, 5, dist, jacobians=True).jacobians["logits"]
    torch.testing.assert_close(rows, oracle(torch.exp, dist)["logits"].expand_as(rows))


def toy(b):
    """E[(b - 0.499)²] is least at b = 0, by a hair: 0.249 against 0.251."""
    return (b - 0.499).square()


def descend(estimate, *, start=0.0, lr=60.0):
    """P(b = 1) after 200 steps of 200 draws."""
    theta = torch.full((1,), start, requires_grad=True)
    sgd = torch.optim.SGD([theta], lr=lr)
    for _ in range(200):
        sgd.zero_grad()
        estimate(Bernoulli(logits=theta)).backward(inputs=[theta])
        sgd.step()
    return theta.sigmoid().item()


@pytest.mark.parametrize("estimator", [exact, measure_valued, rloo, disarm, arm])
def test_the_toy_problem(estimator):
    assert descend(lambda q: estimator(toy, 200, q).surrogate) < 0.1


def test_the_toy_problem_with_a_moving_average():
    average = MovingAverage()

    def estimate(q):
        surrogate = score_function(toy, 200, q, baseline=average()).surrogate
        average.update(surrogate)
        return surrogate

    assert descend(estimate) < 0.1


@pytest.mark.parametrize(("estimator", "level"), [(rebar, 0.25), (relax, 0.0)])
def test_the_toy_problem_with_a_control_that_learned_first(estimator, level):
    """REBAR has no baseline, so it needs f without its level; RELAX's network learns it."""
    network = Network(1) if estimator is relax else None
    control = RelaxControl(network).double()
    adam = torch.optim.Adam(control.parameters(), lr=0.02)

    def estimate(q):
        surrogate = estimator(lambda b: toy(b) - level, 200, q, control=control).surrogate
        adam.zero_grad()
        surrogate.backward(inputs=list(control.parameters()), retain_graph=True)
        adam.step()
        return surrogate

    at_start = Bernoulli(logits=torch.zeros(1, requires_grad=True))
    for _ in range(200):
        estimate(at_start)
    assert descend(estimate) < 0.1


def test_straight_through_stops_short_of_the_toys_optimum():
    """Its gradient 2(p - 0.499) p(1-p) vanishes at p = 0.499, from wherever it comes."""
    p = descend(lambda q: straight_through(toy, 200, q).surrogate, start=1.5, lr=1.0)
    assert p == pytest.approx(0.499, abs=0.05)


def test_exact_is_the_sum_over_all_values_and_passes_gradcheck():
    def expectation(logits, phi):
        return exact(coupled(phi), 1, Independent(Bernoulli(logits=logits), 1)).surrogate

    dist = FINITE["bernoulli"]()
    inputs = (leaf(2, 3), weights(dist))
    assert torch.autograd.gradcheck(expectation, inputs)
    assert torch.autograd.gradgradcheck(expectation, inputs)


@pytest.mark.parametrize(("problem", "count"), [("bernoulli", 8), ("one-hot", 9), ("categorical", 9)])
def test_every_value_lists_each_once_and_their_mass_is_one(problem, count):
    dist = FINITE[problem]()
    z = every_value(dist)
    assert z.shape == (count, *dist.batch_shape, *dist.event_shape)
    assert len(z.flatten(1).unique(dim=0)) == count
    torch.testing.assert_close(dist.log_prob(z).exp().sum(0), torch.ones(2).double())
