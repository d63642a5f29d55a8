"""Multipliers against the linear-Gaussian β-VAE, whose β(δ) is known; the other constraints; mistakes."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from pushforward.algorithms import beta_vae
from pushforward.algorithms.beta_vae import BetaVAE, BetaVAEHyperparameters, constraint_of
from pushforward.core import Batch, Clock
from pushforward.distributions import Gaussian
from pushforward.errors import UserError
from pushforward.training.optim import build_optimizers
from pushforward.training.steps import Stepper

EIGENVALUES = torch.tensor([4.0, 2.0, 1.0, 0.5, 0.1, 0.1], dtype=torch.float64)
SIGMA = 0.4
LATENTS = 4
SHAPE = (1, 2, 3)
LR = 0.05


def rate(beta: float) -> float:
    """Nats of the optimal code: reverse water-filling of the covariance's eigenvalues at the level βσ².

    With weight β on the KL and noise σ², the optimum is probabilistic PCA with noise βσ²: dimension i has
    w² = λ - βσ², posterior variance s = βσ²/λ, and means of variance 1 - s, so KL = ½(s + 1 - s - ln s - 1).
    """
    level = beta * SIGMA**2
    return sum(0.5 * math.log(v / level) for v in EIGENVALUES[:LATENTS].tolist() if v > level)


def distortion(beta: float) -> float:
    """E[-ln p(x|z)] there: squared error min(λ, βσ²) in every dimension that has a latent."""
    level = beta * SIGMA**2
    squared = EIGENVALUES[:LATENTS].clamp(max=level).sum() + EIGENVALUES[LATENTS:].sum()
    d = len(EIGENVALUES)
    return float(squared / (2 * SIGMA**2)) + d * math.log(SIGMA) + d / 2 * math.log(2 * math.pi)


def multiplier(delta: float) -> float:
    """β(δ) in closed form: with k dimensions under water, δ = ½ Σ ln λ - (k/2) ln βσ²."""
    values = EIGENVALUES[:LATENTS].tolist()
    for k, (last, following) in enumerate(pairwise([*values, 0.0]), start=1):
        level = math.exp((sum(math.log(v) for v in values[:k]) - 2 * delta) / k)
        if following <= level <= last:
            return level / SIGMA**2
    raise AssertionError


def population(repeats: int) -> Tensor:
    """Points whose covariance is exactly diag(EIGENVALUES), each `repeats` times."""
    x = torch.diag((len(EIGENVALUES) * EIGENVALUES).sqrt()).float()
    return torch.cat([x, -x]).repeat_interleave(repeats, 0).view(-1, *SHAPE)


def cubature(mu: Tensor, log_var: Tensor) -> Tensor:
    """z on the 2d points that integrate quadratics exactly: the gradient is then the expected one."""
    d = mu.shape[1]
    nodes = math.sqrt(d) * torch.cat([torch.eye(d), -torch.eye(d)])
    return mu + torch.exp(0.5 * log_var) * nodes.repeat(len(mu) // (2 * d), 1)


def linear(**options) -> BetaVAE:
    decoder = nn.Sequential(nn.Linear(LATENTS, math.prod(SHAPE)), nn.Unflatten(1, SHAPE))
    hyper = BetaVAEHyperparameters(latent_dim=LATENTS, **{"lr": LR, **options})
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(SHAPE), 2 * LATENTS))
    return BetaVAE(encoder=encoder, decoder=decoder, likelihood=Gaussian(sigma=SIGMA), hyper=hyper)


def fit(model: BetaVAE, steps: int = 1000) -> dict[str, float]:
    """Descend expected gradients, at a rate that falls to 0 in the second half; the last step's report."""
    x = population(2 * LATENTS)
    batch = Batch(x, None, torch.arange(len(x)))
    players = model.players()
    optimizers = build_optimizers(players)
    stepper = Stepper(model, players, optimizers)
    model.clock = Clock(steps=steps)
    for step in range(steps):
        model.clock.step = step
        optimizers["vae"].param_groups[0]["lr"] = LR * min(1.0, 2 * (1 - step / steps))
        seen = stepper(lambda name="data", n=None: batch)
    return {k.removeprefix("info/"): float(v) for k, v in seen.items()}


@pytest.fixture(autouse=True)
def _expected_gradients(monkeypatch):
    monkeypatch.setattr(beta_vae, "reparameterize", cubature)


def test_the_oracle_inverts_itself():
    for beta in (0.5, 1.0, 3.0, 5.0, 10.0, 20.0):
        assert multiplier(rate(beta)) == pytest.approx(beta)
    # β is the slope of the rate-distortion curve.
    for beta in (0.5, 2.0, 8.0):
        slope = (distortion(beta * 1.001) - distortion(beta / 1.001)) / (
            rate(beta / 1.001) - rate(beta * 1.001)
        )
        assert slope == pytest.approx(beta, rel=1e-3)


def test_a_fixed_weight_reaches_the_point_of_its_slope():
    beta = 8.0
    seen = fit(linear(beta=beta))
    assert seen["kl"] == pytest.approx(rate(beta), rel=0.01)
    assert seen["reconstruction"] == pytest.approx(distortion(beta), rel=0.01)
    assert seen["beta"] == beta


@pytest.mark.parametrize("delta", [0.7, 4.0])  # 2 and 4 dimensions in use
def test_dual_ascent_learns_the_multiplier_of_delta(delta):
    seen = fit(linear(delta=delta))
    assert seen["beta"] == pytest.approx(multiplier(delta), rel=0.01)
    assert seen["kl"] == pytest.approx(delta, rel=0.01)
    assert seen["feasibility"] == pytest.approx(seen["kl"] - delta, abs=1e-4)
    assert abs(seen["slackness"]) < 0.02 * seen["beta"] * delta
    assert seen["reconstruction"] == pytest.approx(distortion(multiplier(delta)), rel=0.01)


def test_geco_learns_the_inverse_slope_at_its_distortion():
    beta = 3.0
    seen = fit(linear(geco=distortion(beta), dual_rate=0.05))
    assert seen["beta"] == pytest.approx(beta, rel=0.01)
    assert seen["kl"] == pytest.approx(rate(beta), rel=0.01)
    assert abs(seen["feasibility"]) < 0.02


def test_capacity_leads_the_kl_along_the_frontier():
    seen = fit(linear(capacity=2.0, gamma=20.0))
    assert seen["capacity"] == pytest.approx(2.0, rel=0.01)
    assert seen["kl"] == pytest.approx(2.0, rel=0.02)
    # The penalty's kink keeps the step from settling: near the curve, from distortion(∞) = 24, not on it.
    assert seen["reconstruction"] == pytest.approx(distortion(multiplier(2.0)), rel=0.15)


def test_free_bits_keep_dimensions_in_use_that_the_vae_lets_collapse():
    """At β = 1 and σ = 1 two of the four eigenvalues are not worth a latent."""

    def kl_of(**options) -> Tensor:
        model = linear(**options)
        model.likelihood = Gaussian(sigma=1.0)
        fit(model)
        return model.divergence(population(1))[1].mean(0).detach()

    plain, free = kl_of(beta=1.0), kl_of(free_bits=0.3)
    assert int((plain < 0.02).sum()) == 2
    assert free.min() > 0.25


def test_a_constraint_that_stays_slack_loses_its_multiplier():
    model = linear(delta=50.0)
    low = {"kl": torch.tensor(3.0), "reconstruction": torch.tensor(9.0)}
    for _ in range(4000):
        model.constraint.follow(low)
    beta = model.constraint.log_multiplier.exp().item()
    assert 0 < beta < 1e-5
    assert abs(beta * (3.0 - 50.0)) < 1e-3


def test_a_violated_constraint_raises_its_multiplier_by_the_rate_and_no_more():
    for option, share in (({"delta": 2.0}, 1.0), ({"geco": 1.0}, 0.1)):
        model = linear(**option)
        model.constraint.follow({"kl": torch.tensor(1e6), "reconstruction": torch.tensor(1e12)})
        assert model.constraint.log_multiplier.item() == pytest.approx(share * model.hyper.dual_rate)


def test_the_multiplier_is_in_the_state():
    model = linear(delta=2.0)
    fit(model, 20)
    again = linear(delta=2.0)
    again.load_state_dict(model.state_dict())
    for name in ("log_multiplier", "totals", "weight"):
        assert torch.equal(getattr(again.constraint, name), getattr(model.constraint, name))
    assert model.constraint.log_multiplier != 0


def test_warm_up_and_capacity_follow_the_clock():
    seen = {}
    for name, option in {"beta": {"beta": 3.0, "warm_up": 0.5}, "capacity": {"capacity": 10.0}}.items():
        model = linear(**option)
        for step in (0, 25, 50, 100):
            model.clock = Clock(step=step, steps=100)
            x = population(2 * LATENTS)
            update = next(model.step(lambda name="data", n=None, x=x: Batch(x, None, torch.arange(len(x)))))
            seen.setdefault(name, []).append(update.info[name].item())
    assert seen["beta"] == [0, 1.5, 3.0, 3.0]
    assert seen["capacity"] == [0, 2.5, 5.0, 10.0]


def test_the_losses_are_what_they_say():
    x = population(2 * LATENTS)
    for option, loss in {
        (("beta", 3.0),): lambda d, r, i: d + 3 * r,
        (("delta", 0.1),): lambda d, r, i: d + i["beta"] * (r - 0.1),
        (("geco", 5.0),): lambda d, r, i: r + (d - 5.0) / i["beta"],
        (("capacity", 10.0),): lambda d, r, i: d + 1000 * abs(r - 0.0),
    }.items():
        model = linear(**dict(option))
        update = next(model.step(lambda name="data", n=None: Batch(x, None, torch.arange(len(x)))))
        info = {k: v.item() for k, v in update.info.items()}
        expected = loss(info["reconstruction"], info["kl"], info)
        assert update.losses["vae"].item() == pytest.approx(expected, rel=1e-5)


def test_without_a_constraint_beta_is_four():
    assert constraint_of(BetaVAEHyperparameters()).beta == 4.0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"beta": 2.0, "delta": 3.0}, "`beta` and `delta`: .*give one"),
        ({"geco": 80.0, "free_bits": 0.1}, "`geco` and `free_bits`"),
        ({"delta": 0.0}, "`delta`: 0.0; expected a positive"),
        ({"delta": -3.0}, "`delta`: -3.0"),
        ({"delta": math.nan}, "`delta`: nan"),
        ({"capacity": 0.0}, "`capacity`: 0.0"),
        ({"free_bits": -1.0}, "`free_bits`: -1.0"),
        ({"beta": -0.5}, "`beta`: -0.5; expected 0 or more"),
        ({"warm_up": 1.5}, "`warm_up`: 1.5; expected a share"),
        ({"delta": 5.0, "warm_up": 0.2}, "`warm_up`: `delta` sets"),
        ({"dual_average": 1.0}, "`dual_average`: 1.0"),
        ({"dual_rate": 0.0}, "`dual_rate`: 0.0"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(options, words):
    with pytest.raises(UserError, match=words) as caught:
        constraint_of(BetaVAEHyperparameters(**options))
    assert "\n" not in str(caught.value)
