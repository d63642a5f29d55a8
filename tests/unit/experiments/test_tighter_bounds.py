"""The signal of a gradient whose mean and noise are known, the linear model's posterior, and tiny cells."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from pushforward.algorithms.latent import LatentVariableModel
from pushforward.experiments import tighter_bounds as bounds
from pushforward.experiments.harness.experiment import Cell, Results
from pushforward.experiments.tighter_bounds import checks, digits, picture, signal
from pushforward.experiments.tighter_bounds.signal import linear_gaussian, signal_to_noise

SIZES = {
    "hidden": (8,),
    "latent_dim": 3,
    "likelihood": "bernoulli",
    "network": "mlp",
    "lr_schedule": "cosine",
}


class Noisy(nn.Module):
    """Its encoder's gradient is (3, 4) + N(0, 2²) each, its decoder's is 1 without noise."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(2, 1, bias=False)
        self.decoder = nn.Linear(1, 1, bias=False)

    def step(self, draw):
        x = torch.tensor([3.0, 4.0]) + 2 * torch.randn(2)
        loss = self.encoder(x).sum() + self.decoder(torch.ones(1) + 1e-3 * torch.randn(1)).sum()
        yield SimpleNamespace(losses={"vae": loss})


def test_the_ratio_is_that_of_the_means_norm_to_the_noises():
    torch.manual_seed(0)
    found = signal_to_noise(Noisy(), torch.zeros(2, 1), repeats=4000)
    assert found["encoder"] == pytest.approx(5 / math.sqrt(8), rel=0.03)
    assert found["decoder"] == pytest.approx(1000, rel=0.05)


def test_noise_alone_has_no_signal():
    """Its mean over few draws is not 0, which is taken off: the estimate is near 0, not 1/√n."""
    draws = torch.randn(50, 4000, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    squares = float(draws.square().sum())
    assert signal._ratio(draws.sum(0), squares, len(draws)) < 0.06 < 1 / math.sqrt(len(draws))
    assert signal._ratio(draws.sum(0) * 0.5, squares, len(draws)) == 0.0


def best_weights(method: str, monkeypatch) -> tuple[LatentVariableModel, torch.Tensor]:
    monkeypatch.setattr(signal, "OFF", 0.0)
    return linear_gaussian(method, {"k": 4}, seed=2)


def test_the_linear_models_posterior_is_what_its_text_says(monkeypatch):
    """With q's variance at 1/2, all weights are p(x): the bound of one draw is ln p(x), by x ~ N(c, 2 I)."""
    algorithm, x = best_weights("iwae", monkeypatch)
    algorithm.encoder.log_var.fill_(math.log(0.5))
    centre = algorithm.decoder.bias.detach()
    truth = torch.distributions.Normal(centre, math.sqrt(2)).log_prob(x).sum(1)
    log_w = algorithm.log_weights(x, 3).detach()
    torch.testing.assert_close(log_w, truth.expand_as(log_w), rtol=1e-4, atol=1e-3)


def test_the_slopes_by_theory_are_measured():
    ratio = {}
    for method in (bounds.IWAE, bounds.DREG):
        for k in (4, 64):
            torch.manual_seed(0)
            ratio[method, k] = bounds.run(Cell(method, bounds.linear(k), 0, {"k": k, "repeats": 100}))
    less = ratio[bounds.IWAE, 64][bounds.ENCODER] / ratio[bounds.IWAE, 4][bounds.ENCODER]
    more = ratio[bounds.DREG, 64][bounds.ENCODER] / ratio[bounds.DREG, 4][bounds.ENCODER]
    decoders = ratio[bounds.IWAE, 64][bounds.DECODER] / ratio[bounds.IWAE, 4][bounds.DECODER]
    assert less < 0.5  # 1/4 by theory
    assert 1.8 < more < 5  # 4
    assert 3 < decoders < 5  # 4


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(digits, "NETWORK", SIZES)
    monkeypatch.setattr(bounds, "YOUNG", 3)


@pytest.mark.parametrize("label", bounds.METHODS)
def test_each_method_trains_and_is_bounded(label, small):
    cell = Cell(label, bounds.DIGITS, 0, {"k": 4, "steps": 25, "draws": 6, "data": "digits"})
    told = bounds.run(cell)
    assert set(told) <= set(bounds.EXPERIMENT.figures)
    assert told[bounds.GAP] > 0
    assert 1 <= told[bounds.COUNT] <= 6
    assert 0 < told[bounds.BEST] <= told[bounds.STEPS] == 25
    assert 10 < told[bounds.NLL] < 64 * math.log(2)  # 8 x 8 pixels; what a fair coin for each would give
    assert 0 < told[bounds.OVER_IMAGES] < 2


@pytest.mark.parametrize("label", bounds.SAMPLED)
def test_all_estimators_measure_the_same_network(label, small):
    seen = []
    for k in (4, 4):
        cell = Cell(label, bounds.young(k), 1, {"k": k, "repeats": 3, "data": "digits"})
        torch.manual_seed(0)
        seen.append(bounds.run(cell))
    assert seen[0] == seen[1]
    assert set(seen[0]) == {bounds.ENCODER, bounds.DECODER}
    options = bounds.options_of(label, 4)
    one, x = bounds._young(bounds.METHODS[label][0], options, "digits", 1)
    other, y = bounds._young("iwae", {"k": 4}, "digits", 1)
    assert torch.equal(x, y)
    assert set(x.unique().tolist()) == {-1.0, 1.0}
    for p, q in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(p, q)


def test_the_best_weights_are_kept(small, monkeypatch):
    """By the validation bound, wherever in the run it was best; measuring takes nothing from the run."""
    train, validation, _ = digits.splits("digits")
    scores = iter([-50.0, -40.0, -60.0, -45.0])
    states = []

    def bound(algorithm, x, *, draws):
        states.append({n: t.clone() for n, t in algorithm.state_dict().items()})
        return SimpleNamespace(value=torch.tensor([next(scores)]))

    monkeypatch.setattr(digits, "bound", bound)
    monkeypatch.setattr(digits, "LOOKS", 4)
    algorithm = digits.build("vae", {}, train.shape)
    assert digits.trained(algorithm, train, validation, steps=8, seed=0) == 4
    for name, tensor in algorithm.state_dict().items():
        assert torch.equal(tensor, states[1][name])
    assert any(not torch.equal(states[1][n], states[3][n]) for n in states[1])


def test_budgets_give_all_methods_the_same_time():
    for budget, k in (("quick", 16), ("full", 64)):
        spent = {
            cell.options["steps"] * bounds.METHODS[cell.method][1][k]
            for cell in bounds.cells(budget, [0])
            if cell.setting == bounds.DIGITS
        }
        assert max(spent) / min(spent) < 1.001


def test_own_images_replace_the_budgets():
    named = {c.options.get("data") for c in bounds.cells("quick", [0], "digits")}
    assert named == {"digits", None}  # None: of the linear model
    assert {c.options.get("data") for c in bounds.cells("quick", [0])} == {"mnist10k", None}


def made_up(iwae: float, piwae: float) -> Results:
    """Ratios by the theory, and likelihoods."""
    slopes = {bounds.IWAE: -0.5, bounds.CIWAE: 0.5, bounds.PIWAE: 0.0, bounds.DREG: 0.5}
    figures = {}
    for cell in bounds.cells("quick", [0, 1]):
        if cell.setting == bounds.DIGITS:
            nll = {bounds.IWAE: iwae, bounds.PIWAE: piwae}.get(cell.method, 101.0) + 0.1 * cell.seed
            figures[cell] = {bounds.NLL: nll, bounds.GAP: 5.0}
        else:
            k = cell.options["k"]
            figures[cell] = {bounds.ENCODER: 0.3 * k ** slopes[cell.method], bounds.DECODER: k**0.5}
    return Results(figures)


def test_claims_hold_by_the_theory_and_only_then():
    results = made_up(100.0, 99.0)
    holds = {c.claim: c.value(results) for c in bounds.claims("quick")}
    assert all(value == pytest.approx(0, abs=1e-9) for name, value in holds.items() if "linear" in name)
    assert holds["equal minutes: the IWAE is ahead of the VAE, nats"] == pytest.approx(1)
    ahead = "equal minutes: PIWAE is ahead of the IWAE, in standard deviations over seeds"
    assert holds[ahead] == pytest.approx(1 / (0.1 / math.sqrt(2)))
    worse = {c.claim: c.value(made_up(100.0, 100.5)) for c in bounds.claims("quick")}
    assert worse[ahead] < 0
    flat = {cell: {bounds.ENCODER: 1.0, bounds.DECODER: 1.0} for cell in results.figures}
    assert checks.slope(bounds.ENCODER, bounds.IWAE, Results(flat)) == pytest.approx(0)
    assert checks.off(bounds.ENCODER, bounds.IWAE, -0.5)(Results(flat)) > checks.WITHIN


def test_the_picture_has_every_method():
    canvas = picture.draw(made_up(100.0, 99.0))
    encoder, _, _, likelihoods = canvas.axes
    assert len(encoder.get_legend_handles_labels()[1]) == len(bounds.SAMPLED)
    assert [t.get_text() for t in likelihoods.get_yticklabels()] == list(bounds.METHODS)
