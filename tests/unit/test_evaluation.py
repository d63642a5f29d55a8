"""Measurements against a model whose every figure is known in closed form, and what is skipped and why."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

import pytest
import torch
from torch import nn

from pushforward.core import Algorithm, to_float
from pushforward.data import Dataset
from pushforward.errors import UserError
from pushforward.evaluation import Evaluation, active, likelihood, outcome
from pushforward.evaluation import evaluate as evaluate_data
from pushforward.models.model import Model
from pushforward.objectives.annealing import Annealing
from tests.runs import build
from tests.unit.gaussian_model import SHAPE, exact_model, log_density, pictures, posterior_kl

BOUNDS = {"bits/dimension", "effective_draws", "monte_carlo_error"}
CODES = {"kl", "active_units", "information", "information_upper", "aggregate_gap"}
ALL = {"elbo", "ln p(x)", *BOUNDS, *CODES, "reconstruction_error"}


class OnlySamples(Algorithm):
    """What a GAN can do."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def players(self):
        return {}

    def step(self, draw):
        yield from ()

    def sample(self, n):
        return torch.zeros(n, *SHAPE)


def evaluate(model, x, **how) -> Evaluation:
    """Of tensors alone."""
    return evaluate_data(model, Dataset.of(x), cheap_only=True, **how)


def values(result) -> dict[str, float]:
    return {m.name: m.value for m in result.metrics}


def test_with_the_exact_posterior_both_bounds_are_the_likelihood():
    images = pictures()
    exact = log_density(to_float(images))
    result = evaluate(exact_model(), images, k=5)
    for name in ("elbo", "iwae-5"):
        assert result.find(name).value == pytest.approx(exact.mean().item(), rel=1e-5)
        half = 1.96 * exact.std().item() / math.sqrt(len(images))
        assert result.find(name).ci95 == pytest.approx(half, rel=1e-3)


def test_bits_count_the_mass_of_a_pixel_level():
    images = pictures()
    nats = log_density(to_float(images)).mean().item()
    expected = (-nats / 64 - math.log(2 / 255)) / math.log(2)
    # The density is nearly flat over a level, but for black and white, which take the tails.
    told = evaluate(exact_model(), images, k=50).find("bits/dimension").value
    assert expected - 0.05 < told < expected


def test_kl_and_active_units_are_those_of_the_exact_posterior():
    images = pictures()
    kl = posterior_kl(to_float(images))
    result = evaluate(exact_model(), images, k=1)
    assert result.find("kl").value == pytest.approx(kl.sum(1).mean().item(), rel=1e-5)
    assert result.detail["kl_per_dimension"] == pytest.approx(kl.mean(0).tolist(), abs=1e-6)
    assert active(result) == [True, True, False]
    assert result.find("active_units").value == 2


def test_more_samples_tighten_the_bound_of_a_model_with_an_inexact_posterior():
    model = Model(build("vae", SHAPE).eval(), {"method": "vae", "shape": list(SHAPE), "step": 0})
    one, many = (values(evaluate(model, pictures(), k=k)) for k in (1, 50))
    assert one["iwae-1"] == pytest.approx(one["elbo"])
    assert many["iwae-50"] > many["elbo"] + 0.01
    assert many["iwae-50"] > one["iwae-1"]


def test_small_memory_changes_no_figure(monkeypatch):
    images = pictures()
    whole = evaluate(exact_model(), images, k=7)
    for module in (outcome, likelihood):
        monkeypatch.setattr(module, "DECODED_AT_ONCE", 3 * 64)  # three images at once: k in parts
    parts = evaluate(exact_model(), images, k=7)
    assert values(parts) == pytest.approx(values(whole), rel=1e-5, abs=1e-6)


def test_the_seed_decides_and_the_global_stream_stays():
    model = Model(build("vae", SHAPE).eval(), {"method": "vae", "shape": list(SHAPE), "step": 0})
    before = torch.get_rng_state()
    first, again, other = (evaluate(model, pictures(), k=3, seed=s) for s in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    assert first == again
    assert first.find("elbo").value != other.find("elbo").value


def test_what_a_method_cannot_do_is_skipped_with_the_reason():
    model = Model(OnlySamples(), {"method": "gan", "shape": list(SHAPE), "step": 0})
    result = evaluate(model, pictures())
    assert [m.name for m in result.metrics] == ["sharpness"]
    assert {s.name for s in result.skipped} == ALL
    assert all("'gan' has no" in s.reason for s in result.skipped)


def test_cross_entropy_on_grey_pixels_is_not_sold_as_a_likelihood():
    algorithm = build("vae", SHAPE, likelihood="bernoulli", binarization="none").eval()
    model = Model(algorithm, {"method": "vae", "shape": list(SHAPE), "step": 0})
    with pytest.warns(UserWarning, match="grey pixels"):
        result = evaluate(model, pictures(), k=4)
    assert result.find("elbo") is not None
    assert {s.name for s in result.skipped} == {"iwae-4", *BOUNDS}
    black_and_white = evaluate(model, (pictures() > 127).to(torch.uint8) * 255, k=4)
    assert black_and_white.skipped == ()


def test_one_image_has_no_interval_and_still_valid_json():
    result = evaluate(exact_model(), pictures(1), k=2)
    assert result.find("elbo").ci95 is None
    assert {s.name for s in result.skipped} == CODES
    assert "NaN" not in json.dumps(asdict(result))


@pytest.mark.parametrize(
    ("images", "k", "says"),
    [
        (
            torch.zeros(3, 1, 9, 9, dtype=torch.uint8),
            1,
            "`data`: images of 9 × 9 .* the model takes .* 8 × 8",
        ),
        (torch.zeros(0, 1, 8, 8, dtype=torch.uint8), 1, "`data`: no images"),
        (pictures(2), 0, "k: 0"),
    ],
)
def test_faults_are_named(images, k, says):
    with pytest.raises(UserError, match=says):
        evaluate(exact_model(), images, k=k)


@pytest.mark.parametrize("rung", ["iwae", "ais", "prior"])
def test_every_rung_comes_to_the_likelihood_with_its_error(rung):
    images = pictures(8)
    exact = log_density(to_float(images)).mean().item()
    quick = Annealing(temperatures=30, chains=6, leapfrog=2)
    result = evaluate(exact_model(), images, likelihood=rung, annealing=quick)
    name = {"iwae": "iwae-100", "ais": "ais-30", "prior": "prior-10000"}[rung]
    error = result.find("monte_carlo_error").value
    assert result.find(name).value == pytest.approx(exact, abs=4 * error + 1e-3)
    draws = {"iwae": 100, "ais": 6, "prior": 10_000}[rung]
    assert 1 <= result.find("effective_draws").value <= draws * (1 + 1e-9)
    assert result.find("effective_draws").unit.startswith(f"of {draws:,}")
    assert rung == "prior" or result.find("effective_draws").value == pytest.approx(draws, rel=1e-3)


def test_a_bound_that_single_draws_carry_is_told():
    model = Model(build("vae", SHAPE, sigma=0.01).eval(), {"method": "vae", "shape": list(SHAPE), "step": 0})
    (note,) = evaluate(model, pictures(), likelihood="prior", k=20).notes
    assert "100% of the images fewer than 2 of 20 draws carry the estimate" in note
    assert "take `likelihood` iwae or ais" in note
    assert evaluate(exact_model(), pictures(), k=20).notes == ()


def test_one_draw_has_no_monte_carlo_error():
    result = evaluate(exact_model(), pictures(), k=1)
    assert [(s.name, s.reason) for s in result.skipped] == [
        ("monte_carlo_error", "needs at least 2 draws an image")
    ]


def test_annealing_needs_gaussian_codes_and_the_other_rungs_do_not():
    model = Model(
        build("discrete-vae, vimco", SHAPE).eval(), {"method": "vae", "shape": list(SHAPE), "step": 0}
    )
    black_and_white = (pictures(6) > 127).to(torch.uint8) * 255
    with pytest.raises(UserError, match="'ais' moves through Gaussian codes"):
        evaluate(model, black_and_white, likelihood="ais")
    # 3 bits: draws from the prior list them all, so that both rungs see the same sum.
    by_prior, by_encoder = (
        evaluate(model, black_and_white, likelihood=rung, k=4000).find(f"{rung}-4000").value
        for rung in ("prior", "iwae")
    )
    assert by_prior == pytest.approx(by_encoder, abs=0.1)
    assert "information" in {s.name for s in evaluate(model, black_and_white, k=2).skipped}


def test_information_and_gap_make_up_the_kl():
    images = pictures()
    result = evaluate(exact_model(), images, k=1)
    information, gap = result.find("information"), result.find("aggregate_gap")
    assert information.value + gap.value == pytest.approx(result.find("kl").value, abs=1e-4)
    assert 0 < information.value < math.log(len(images))
    assert result.detail["information_ceiling"] == [pytest.approx(math.log(40))]
    per_dimension = result.detail["information_per_dimension"]
    assert per_dimension[2] == pytest.approx(0, abs=1e-6)  # the dimension that the decoder does not use


def test_a_code_that_tells_all_images_apart_hides_its_gap():
    model = exact_model()
    encode = model.algorithm.encoder.forward
    model.algorithm.encoder.forward = lambda x: encode(x) * 40  # and ln σ² too
    result = evaluate(model, pictures(), k=1)
    assert result.find("aggregate_gap").unit == "nats, at most"
    assert result.find("information").unit == "nats, at least"
    assert result.find("information").ci95 is None
    assert result.find("information_upper").value > result.find("information").value + 10
    assert "more images tell more" in " ".join(result.notes)
