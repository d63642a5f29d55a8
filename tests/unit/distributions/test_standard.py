"""Points in everyday units: standardised for networks, in their own units everywhere else."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import pushforward
from pushforward.core import Clock
from pushforward.distributions.gaussian import Gaussian
from pushforward.distributions.standard import Standard, adopt
from pushforward.objectives.elbo import LOG_VAR, bounded_log_var
from pushforward.runs.units import moments
from tests.runs import build

CENTRE, SCALE = torch.tensor([1000.0, -3.0]), torch.tensor([100.0, 1e-3])
POINT_METHODS = [
    "vae",
    "iwae",
    "dreg",
    "beta-vae",
    "ae",
    "gan",
    "wgan-gp",
    "veegan",
    "pacgan",
    "unrolled",
    "r3gan",
]


def test_it_is_its_own_inverse_and_nothing_before_it_learned():
    standard, x = Standard(2), torch.randn(5, 2)
    assert torch.equal(standard(x), x)
    assert torch.equal(standard.undo(x), x)
    standard.learn(CENTRE, SCALE)
    assert torch.allclose(standard(standard.undo(x)), x, atol=1e-3)
    assert standard.log_volume().item() == pytest.approx(math.log(100 * 1e-3))


def test_a_density_in_the_datas_units_integrates_to_one():
    standard = Standard(1)
    standard.learn(torch.tensor([50.0]), torch.tensor([20.0]))
    likelihood = Gaussian(sigma=0.5, bounded=False, standard=standard).eval()
    x = torch.linspace(-100, 200, 20_001, dtype=torch.float64)[:, None]
    decoded = torch.full_like(x, 0.3)
    density = likelihood.log_prob(decoded, likelihood.prepare(x)).exp()
    assert torch.trapezoid(density, x[:, 0]).item() == pytest.approx(1, abs=1e-6)
    assert x[density.argmax()].item() == pytest.approx(50 + 20 * 0.3, abs=0.02)
    assert likelihood.mean(decoded[:1]).item() == pytest.approx(56)


def test_a_flows_density_in_the_datas_units_integrates_to_one():
    flow = build("flow-matching", (1,)).eval()
    adopt(flow, torch.tensor([50.0]), torch.tensor([20.0]))
    x = torch.linspace(-100, 200, 801)[:, None]
    with torch.no_grad():
        total = torch.trapezoid(flow.log_prob(x, steps=20).exp(), x[:, 0])
    assert total.item() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("method", POINT_METHODS)
def test_units_change_what_goes_in_and_comes_out_alone(method):
    """Data in other units and a model that knows these: the same losses."""
    centre, scale = torch.tensor([64.0, -32.0]), torch.tensor([1024.0, 0.25])
    plain, moved = build(method, (2,)), build(method, (2,))
    adopt(moved, centre, scale)
    x = (torch.randn(6, 2) * 256).round() / 256  # so that no bit is lost on the way

    def losses(model, rows):
        model.clock = Clock(steps=4)
        torch.manual_seed(0)
        batch = type("B", (), {"x": rows, "label": None, "index": None})
        return next(model.step(lambda *a: batch)).losses

    ours, theirs = losses(moved, x * scale + centre), losses(plain, x)
    volume = scale.log().sum() if method in ("vae", "iwae", "dreg", "beta-vae", "ae") else 0.0
    for name in theirs:
        assert ours[name].item() == pytest.approx((theirs[name] + volume).item(), rel=1e-4, abs=1e-4)


def test_the_moments_are_taken_in_double_and_constants_have_no_scale():
    x = torch.stack([torch.randn(1000) * 0.5 + 1e6, torch.full((1000,), 0.1), torch.zeros(1000)], 1)
    centre, scale = moments(x)
    assert scale[0].item() == pytest.approx(x[:, 0].double().std().item(), rel=1e-2)
    assert scale[1:].tolist() == [1, 1]
    assert centre[1].item() == pytest.approx(0.1)


def test_ln_variance_is_bounded_and_its_gradient_is_not():
    x = torch.tensor([-1e9, -5.0, 3.3, 1e9], requires_grad=True)
    y = bounded_log_var(x)
    assert y.tolist() == pytest.approx([-LOG_VAR, -5, 3.3, LOG_VAR])
    y.sum().backward()
    assert x.grad.tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("method", ["vae", "gan"])
def test_everyday_units_are_learned(method, tmp_path):
    x = np.random.default_rng(0).normal(1000, 100, (500, 2)).astype(np.float32)
    np.savez(tmp_path / "x.npz", points=x)
    options = {"hidden": (32,), "latent_dim": 2, "lr": 1e-3}
    shared = {"data": str(tmp_path / "x.npz"), "steps": 300, "batch_size": 64}
    run = pushforward.train(method, options=options, run=str(tmp_path / "run"), **shared)
    model = pushforward.load(run)
    drawn = torch.as_tensor(model.sample(500))
    assert (drawn.mean(0) - 1000).abs().max() < 60
    if method == "vae":
        truth = -2 * math.log(100 * math.sqrt(2 * math.pi * math.e))
        assert model.log_prob(torch.from_numpy(x)).mean().item() == pytest.approx(truth, abs=0.15)


def test_named_sets_keep_their_papers_units(tmp_path):
    run = pushforward.train("gan", data="ring", steps=1, options={"hidden": (8,)}, run=str(tmp_path / "r"))
    standard = pushforward.load(run).algorithm.critic.standard
    assert standard.scale.tolist() == [1, 1]


def test_a_model_of_before_is_loaded():
    old = {k: v for k, v in build("gan", (2,)).state_dict().items() if "standard" not in k}
    build("gan", (2,)).load_state_dict(old)
