"""Every method runs in double, steps and samples, and infinite logits make no NaN."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Bernoulli, Independent, OneHotCategorical

from pushforward.core import Batch, Clock
from pushforward.data import Stream
from pushforward.distributions import DiscretizedLogistic, Gaussian
from pushforward.errors import UserError
from pushforward.objectives.divergences.samples import (
    optimal_plan,
    sinkhorn_divergence,
    sliced_w1,
    w1_line,
    w1_samples,
)
from pushforward.objectives.estimators.contract import unchecked
from tests.runs import METHOD_NAMES, build, sources_for
from tests.unit.objectives.estimators.problems import call


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_models_run_in_double(method):
    model = build(method).double()
    model.clock = Clock(steps=4, step=1)
    stream = Stream(sources_for(method), batch_size=6, seed=0)

    def draw(*asked, **how):
        batch = stream(*asked, **how)
        return Batch(batch.x.double(), batch.label, batch.index)

    steps = model.step(draw)
    update = next(steps)
    while update is not None:
        assert {loss.dtype for loss in update.losses.values()} <= {torch.float64}
        try:
            update = steps.send(update.answer())
        except StopIteration:
            update = None
    if hasattr(model, "sample"):
        assert model.eval().sample(2).dtype == torch.float64


@pytest.mark.parametrize("name", ["rebar", "exact", "arm", "disarm", "rloo", "muprop"])
@pytest.mark.parametrize("sure", [torch.inf, -torch.inf])
def test_infinite_logits_make_no_nan(name, sure):
    logits = torch.tensor([[0.3, sure, -0.2]], requires_grad=True)
    q = Independent(unchecked(Bernoulli, logits=logits), 1, validate_args=False)
    estimate = call(name, lambda z: (z.float() - 0.3).square().sum(-1), 20, q)
    assert estimate.surrogate.isfinite()
    (gradient,) = torch.autograd.grad(estimate.surrogate, [logits])
    assert gradient.isfinite().all()


def test_a_class_that_cannot_be_makes_no_nan():
    logits = torch.tensor([[0.3, -torch.inf, -0.2]], requires_grad=True)
    q = unchecked(OneHotCategorical, logits=logits)
    estimate = call("rebar", lambda z: (z.float() - 0.3).square().sum(-1), 20, q)
    assert estimate.surrogate.isfinite()


@pytest.mark.parametrize("log_scale", [-50.0, 0.5, 9.0, 50.0, 300.0])
def test_a_logistics_mean_and_gradient_are_finite_at_every_scale(log_scale):
    d = torch.tensor([0.3, log_scale], requires_grad=True)
    likelihood = DiscretizedLogistic()
    mean = likelihood.mean(d.view(1, 2, 1, 1))
    total = mean.sum() + likelihood.log_prob(d.view(1, 2, 1, 1), torch.zeros(1, 1, 1, 1)).sum()
    (gradient,) = torch.autograd.grad(total, [d])
    assert gradient.isfinite().all()
    s = torch.tensor(min(max(log_scale, -7.0), 20.0), dtype=torch.float64).exp()
    t = torch.linspace(-1, 1, 20_001, dtype=torch.float64)
    truth = torch.trapezoid(torch.sigmoid((0.3 - t) / s), t) - 1
    assert mean.item() == pytest.approx(truth.item(), abs=2e-3)


def test_an_optimal_sigma_takes_doubles():
    x = torch.randn(4, 1, 3, 3, dtype=torch.float64)
    likelihood = Gaussian(sigma="optimal").train()
    assert likelihood.log_prob(torch.zeros_like(x), x).dtype == torch.float64
    assert likelihood.log_sigma.dtype == torch.float32


def test_integers_and_half_precision_are_transported_as_numbers():
    a, b = torch.tensor([0, 1]), torch.tensor([5, 7])
    assert w1_line(a, b).item() == 5.5
    assert w1_line(a.half(), b.half()).item() == 5.5
    assert w1_samples(a[:, None], b[:, None]).item() == 5.5
    points = torch.tensor([[0, 0], [1, 0]]), torch.tensor([[0, 2], [1, 2]])
    assert w1_samples(*points).item() == pytest.approx(2)
    assert sliced_w1(*points).item() > 0
    plan = optimal_plan(torch.tensor([1, 1]), torch.tensor([1, 1]), torch.tensor([[0, 3], [3, 0]]))
    assert plan.tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    ("x", "y", "told"),
    [
        (torch.zeros(2, 2), torch.zeros(2, 3), "y: points of 3 numbers, but x has points of 2"),
        (torch.zeros(2, 2), torch.full((2, 2), torch.nan), "y: some numbers are NaN"),
        (torch.zeros(0, 2), torch.zeros(2, 2), "x: no points"),
        (torch.zeros(2), torch.zeros(2, 2), "x: shape"),
    ],
)
def test_what_cannot_be_transported_is_refused(x, y, told):
    for distance in (w1_samples, sliced_w1, lambda a, b: sinkhorn_divergence(a, b, epsilon=0.1)):
        with pytest.raises(UserError, match=told):
            distance(x, y)


@pytest.mark.parametrize(
    ("a", "b", "told"),
    [
        ([0.0, 0.0], [0.5, 0.5], "a: 0, 0; expected masses"),
        ([-1.0, 2.0], [0.5, 0.5], "a: -1, 2"),
        ([0.5, 0.5], [float("nan"), 1.0], "b: nan"),
        ([1.0], [0.5, 0.5], "cost: shape"),
    ],
)
def test_masses_that_are_none_are_refused(a, b, told):
    with pytest.raises(UserError, match=told):
        optimal_plan(torch.tensor(a), torch.tensor(b), torch.zeros(2, 2))
