"""What is read off a critic, against closed forms; and each disease constructed, beside its health."""

from __future__ import annotations

import math

import pytest
import torch

from pushforward.core import Algorithm, Batch, Player, Update
from pushforward.diagnostics.critic import (
    diagnose_saturation,
    diagnose_slope,
    diagnose_vanishing,
    generator_gradient,
    lipschitz,
    saturation,
    separation,
)
from tests.runs import ADVERSARIAL, SHAPE, SHAPES, assert_same, build, weights


def test_separation_of_shifted_normals_is_the_known_area():
    """P(N(m, 1) > N(0, 1)) = Φ(m / √2)."""
    generator = torch.Generator().manual_seed(0)
    real = 1 + torch.randn(20_000, generator=generator)
    fake = torch.randn(15_000, generator=generator)
    expected = 0.5 * (1 + math.erf(1 / 2))
    assert separation(real, fake) == pytest.approx(expected, abs=0.01)
    assert separation(real + 100, fake) == 1
    assert separation(real - 100, fake) == 0


def test_ties_count_half():
    assert separation(torch.zeros(3), torch.zeros(5)) == 0.5
    assert separation(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 3.0])) == pytest.approx(1.5 / 4)


def test_saturation_begins_where_the_sigmoids_slope_falls_below_a_hundredth():
    edge = math.log((1 + math.sqrt(0.96)) / (1 - math.sqrt(0.96)))  # σ(1 - σ) = 0.01
    scores = torch.tensor([0.0, edge - 0.01, -edge + 0.01, edge + 0.01, -edge - 0.01, 1e4])
    assert saturation(scores) == pytest.approx(0.5)


def test_the_slope_of_a_linear_critic_is_its_weights_norm():
    w = torch.tensor([3.0, 4.0])
    found = lipschitz(lambda x: x @ w, torch.randn(30, 2), torch.randn(30, 2))
    assert (found.mean, found.largest) == (pytest.approx(5), pytest.approx(5))


def test_the_largest_slope_lies_between_real_and_fake():
    """D(x) = x²/2 has the slope |x|; on lines from 0 to 1 it is uniform."""
    torch.manual_seed(0)
    found = lipschitz(lambda x: x.square().sum(1) / 2, torch.ones(5000, 1), torch.zeros(5000, 1))
    assert found.mean == pytest.approx(0.5, abs=0.02)
    assert 0.99 < found.largest <= 1


class Parabola(Algorithm):
    """Two updates of a generator with the losses θ² and 3θ, and a bystander with a clipped weight."""

    def __init__(self):
        super().__init__()
        self.theta = torch.nn.ParameterList([torch.nn.Parameter(torch.tensor([2.0]))])
        self.other = torch.nn.Linear(1, 1)

    def players(self):
        return {"generator": Player(module=self.theta), "critic": Player(module=self.other)}

    def step(self, draw):
        (theta,) = self.theta
        info = yield Update({"generator": theta.square().sum()}, {"seen": theta.sum()})
        assert info["seen"] == 2
        yield Update({"critic": self.other(torch.ones(1, 1)).sum()})
        with torch.no_grad():
            self.other.weight.zero_()
        yield Update({"generator": 3 * theta.sum()})


def test_the_generators_gradient_is_summed_over_updates_and_nothing_moves():
    algorithm = Parabola()
    before = weights(algorithm)
    assert generator_gradient(algorithm, lambda *a: None) == pytest.approx(7)
    assert_same(weights(algorithm), before)
    assert all(p.grad is None for p in algorithm.parameters())
    assert generator_gradient(algorithm, lambda *a: None, player="critic") == pytest.approx(math.sqrt(2))


@pytest.mark.parametrize("method", ADVERSARIAL)
def test_the_gradient_is_the_one_that_training_takes(method):
    """Where no earlier update of the step has moved anybody: the same draws, the same gradient."""
    algorithm = build(method).eval()
    x = torch.rand(6, *SHAPES.get(method, SHAPE)) * 2 - 1
    before = weights(algorithm)

    def draw(name="data", n=None):
        return Batch(x, torch.arange(6) % 2, torch.arange(6))

    torch.manual_seed(0)
    found = generator_gradient(algorithm, draw)
    assert_same(weights(algorithm), before)
    assert not any(m.training for m in algorithm.modules())
    torch.manual_seed(0)
    algorithm.train()
    owned, total = algorithm.players()["generator"].parameters(), None
    steps = algorithm.step(draw)
    update = next(steps, None)
    while update is not None:
        if "generator" in update.losses:
            grads = torch.autograd.grad(update.losses["generator"], owned, allow_unused=True)
            total = torch.cat([g.flatten() for g in grads if g is not None]).norm()
        try:
            update = steps.send(update.answer())
        except StopIteration:
            update = None
    assert found == pytest.approx(float(total))
    assert found > 0


def test_a_gradient_that_died_under_a_sure_critic_is_vanishing():
    finding = diagnose_vanishing([1.0, 3.0, 1e-3, 1e-4, 1e-4], [0.6, 0.9, 1.0, 1.0, 1.0], command="cure")
    assert (finding.name, finding.severity, finding.command) == ("vanishing-gradient", "critical", "cure")
    assert finding.confidence > 0.9


@pytest.mark.parametrize(
    ("gradients", "separations"),
    [
        ([1.0, 3.0, 1e-3, 1e-4, 1e-4], [0.6, 0.6, 0.5, 0.55, 0.5]),  # small since the samples are good
        ([1.0, 3.0, 2.0, 1.0, 2.0], [1.0] * 5),  # a sure critic that still says where to go
        ([1.0, 3.0, 1.0, 1e-5, 1.0], [1.0] * 5),  # one odd batch
        ([3.0, 1e-5, 1e-5], [1.0] * 3),  # too early to tell
        ([0.0] * 5, [1.0] * 5),  # never any: dead units, not this
        ([], []),
    ],
)
def test_other_gradients_are_not(gradients, separations):
    assert diagnose_vanishing(gradients, separations) is None


def test_a_perfect_flat_critic_is_saturated_and_others_are_not():
    assert diagnose_saturation([0.7, 1.0, 1.0, 1.0], [0.1, 0.99, 1.0, 1.0]).name == "critic-saturated"
    assert diagnose_saturation([1.0] * 3, [0.3] * 3) is None  # sure, and not flat
    assert diagnose_saturation([0.5] * 3, [1.0] * 3) is None  # flat, and no better than chance
    assert diagnose_saturation([1.0] * 2, [1.0] * 2) is None


@pytest.mark.parametrize(("slope", "cure"), [(3.0, "`penalty`"), (0.2, "`n_critic`"), (1.2, None)])
def test_a_slope_that_the_penalty_does_not_hold(slope, cure):
    finding = diagnose_slope([9.0, slope, slope, slope], weight=10.0)
    assert (finding is None) == (cure is None)
    assert cure is None or cure in finding.advice


@pytest.mark.parametrize("apart", [0.5, 5.0, 40.0])
def test_a_slope_that_the_penalty_itself_wants_is_held(apart):
    """The best critic of data m apart has the slope 1 + m/2λ, however far that is from 1."""
    weight = 0.5
    slope = 1 + apart / (2 * weight)
    gaps = [slope * apart] * 3
    for one_sided in (False, True):
        held = {"weight": weight, "one_sided": one_sided}
        assert diagnose_slope([slope] * 3, **held, gaps=gaps) is None
        assert diagnose_slope([4 * slope] * 3, **held, gaps=[0.1] * 3) is not None
