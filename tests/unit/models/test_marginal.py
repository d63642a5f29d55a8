"""ln p(x) from Python, by every rung, against a model whose likelihood is known."""

from __future__ import annotations

import pytest
import torch

from pushforward.core import to_float
from pushforward.errors import UserError
from pushforward.models.model import Model
from pushforward.objectives.annealing import Annealing
from tests.runs import build
from tests.unit.gaussian_model import SHAPE, exact_model, log_density, pictures

QUICK = Annealing(temperatures=30, chains=6, leapfrog=2)


@pytest.mark.parametrize(("rung", "off"), [("iwae", 1e-4), ("ais", 1e-3), ("prior", 0.2)])
def test_log_prob_of_each_image(rung, off):
    images = pictures(6)
    value = exact_model().log_prob(images, method=rung, annealing=QUICK)
    torch.testing.assert_close(value, log_density(to_float(images)), atol=off, rtol=0)


def test_the_error_covers_the_truth_and_falls_with_the_draws():
    images = pictures(30)
    exact = log_density(to_float(images))
    few, many = (exact_model().likelihood(images, method="prior", k=k) for k in (500, 8000))
    z = (few.value - exact) / few.standard_error
    assert z.abs().median() < 1.5
    assert (many.standard_error / few.standard_error).mean() == pytest.approx(0.25, rel=0.3)


def test_a_draw_from_the_seed_and_in_parts():
    model, images = exact_model(), pictures(7)
    before = torch.get_rng_state()
    a, b, c = (model.log_prob(images, method="prior", k=50, seed=s) for s in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_mean_reconstructions_are_the_mean_of_the_posteriors():
    """The decoder is linear: the mean over draws tends to what the posterior mean decodes to."""
    model, images = exact_model(), pictures(9)
    mean, error = model.mean_reconstruction(images, samples=2000)
    off = (mean - model.reconstruct(images)).abs()
    inside = model.reconstruct(images).abs() < 0.9  # away from the clamp, which is not linear
    assert ((off < 2 * error + 1e-6)[inside].double().mean()) > 0.9
    one, unknown = model.mean_reconstruction(images, samples=1)
    assert one.shape == mean.shape
    assert unknown.isnan().all()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda m: m.log_prob(pictures(2), method="aiss"), "expected one of iwae, ais, prior"),
        (lambda m: m.log_prob(pictures(2), method="prior", k=0), "k: 0"),
        (lambda m: m.mean_reconstruction(pictures(2), samples=0), "samples: 0"),
    ],
)
def test_mistakes_are_named(call, says):
    with pytest.raises(UserError, match=says):
        call(exact_model())


def test_other_codes_say_which_rungs_they_have():
    model = Model(build("discrete-vae, annealed").eval(), {"method": "vae", "shape": list(SHAPE), "step": 0})
    with pytest.raises(UserError, match="take 'iwae' or 'prior'"):
        model.log_prob(pictures(2), method="ais")
    assert model.log_prob(pictures(2), method="prior", k=20).isfinite().all()
