"""Estimators inside a VAE: gradients against enumeration, bounds against closed sums, and the temperature."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import get_args, get_type_hints

import pytest
import torch
from torch import Tensor

from pushforward.algorithms.estimator_vae import EstimatorHyperparameters, EstimatorVAE
from pushforward.core import Batch, to_uint8
from pushforward.data import Stream
from pushforward.models.latents import codes
from pushforward.models.model import Model
from pushforward.models.store import load, publish
from pushforward.objectives.estimators import ESTIMATORS, every_value
from pushforward.recipes.estimator_vae import EstimatorVAERecipe
from pushforward.recipes.vae import VAERecipe
from pushforward.training.optim import build_optimizers
from pushforward.training.steps import Stepper
from tests.runs import small_images, trainer

SHAPE = (1, 2, 2)
IMAGES = torch.tensor([[1.0, -1.0, 1.0, 1.0], [-1.0, 1.0, 1.0, -1.0]]).view(-1, *SHAPE)
COMMON = {"likelihood": "bernoulli", "binarization": "static", "hidden": (3,), "prior": "learned"}
LATENTS = {
    "bernoulli": {"latent": "bernoulli", "latent_dim": 3},
    "categorical": {"latent": "categorical", "latent_dim": 2, "categories": 3},
}
REPEATS = 2000
UNBIASED = [(latent, name) for latent in LATENTS for name in ("score-function", "rloo", "muprop", "rebar")]
UNBIASED += [("bernoulli", "arm"), ("bernoulli", "disarm"), ("bernoulli", "measure-valued")]
UNBIASED += [("categorical", "nvil"), ("bernoulli", "relax")]


def build(latent: str, **options) -> EstimatorVAE:
    """The same weights for every estimator, far enough from 0 that gradients differ between images."""
    torch.manual_seed(0)
    model = EstimatorVAERecipe(**COMMON, **LATENTS[latent], **options).build(SHAPE)
    generator = torch.Generator().manual_seed(1)
    for part in (model.encoder, model.decoder, model.code):
        for p in part.parameters():
            p.data.normal_(generator=generator)
    return model


def updated(model, x: Tensor):
    return next(model.step(lambda name="data", n=None: Batch(x, None, torch.arange(len(x)))))


def gradient(model: EstimatorVAE, repeats: int) -> Tensor:
    """By the parameters of the model proper, flat, averaged over the images, each `repeats` times."""
    loss = updated(model, IMAGES.repeat(repeats, 1, 1, 1)).losses["vae"]
    grads = torch.autograd.grad(loss, model.players()["vae"].parameters(), materialize_grads=True)
    return torch.cat([g.flatten() for g in grads])


def deviation(model: EstimatorVAE, truth: Tensor, batches: int = 20) -> Tensor:
    """Mean error of the gradient in standard errors; where nothing varies it has to be equal."""
    found = torch.stack([gradient(model, REPEATS) for _ in range(batches)])
    noise = found.std(0)
    still = noise < 1e-6
    torch.testing.assert_close(found.mean(0)[still], truth[still], atol=1e-4, rtol=1e-4)
    return ((found.mean(0) - truth) / noise * batches**0.5)[~still]


@pytest.fixture(scope="module")
def truth() -> dict[str, Tensor]:
    return {latent: gradient(build(latent, estimator="exact"), 1) for latent in LATENTS}


@pytest.mark.parametrize(("latent", "name"), UNBIASED)
def test_the_gradient_is_that_of_the_enumerated_bound(latent, name, truth):
    model = build(latent, estimator=name, samples=2)
    assert deviation(model, truth[latent]).abs().max() < 5


@pytest.mark.parametrize("latent", LATENTS)
def test_the_enumerated_gradient_is_that_of_the_bound_written_out(latent, truth):
    model = build(latent, estimator="exact")
    z = every_value(model.code.posterior(model.encoder(IMAGES)))
    q = model.code.posterior(model.encoder(IMAGES))
    log_ratio = model.log_likelihood(z, IMAGES) + model.code.prior().log_prob(z) - q.log_prob(z)
    elbo = (q.log_prob(z).exp() * log_ratio).sum(0).mean()
    grads = torch.autograd.grad(-elbo, model.players()["vae"].parameters())
    torch.testing.assert_close(torch.cat([g.flatten() for g in grads]), truth[latent])


def test_a_biased_estimator_would_be_seen(truth):
    model = build("bernoulli", estimator="straight-through", samples=2)
    assert deviation(model, truth["bernoulli"]).abs().max() > 20


def test_gumbel_softmax_is_biased_less_the_colder_it_is(truth):
    def off(temperature: float) -> float:
        options = {"temperature": temperature, "temperature_floor": temperature, "temperature_rate": 0.0}
        model = build("categorical", estimator="gumbel-softmax", samples=2, **options)
        found = torch.stack([gradient(model, REPEATS) for _ in range(20)]).mean(0)
        return float((found - truth["categorical"]).norm())

    assert off(0.3) < 0.5 * off(2.0)


@pytest.mark.parametrize("name", ["score-function", "rloo", "nvil"])
def test_the_decoder_may_learn_from_fewer_draws_without_bias(name, truth):
    model = build("bernoulli", estimator=name, samples=3, decoder_samples=1)
    assert deviation(model, truth["bernoulli"]).abs().max() < 5


def test_fewer_draws_for_the_decoder_leave_the_loss_as_it_is():
    losses = []
    for m in (None, 1):
        model = build("bernoulli", estimator="rloo", samples=4, decoder_samples=m)
        torch.manual_seed(3)
        losses.append(updated(model, IMAGES).losses["vae"])
    torch.testing.assert_close(losses[0], losses[1])


@pytest.mark.parametrize("latent", LATENTS)
def test_the_bound_of_many_draws_reaches_the_enumerated_likelihood(latent):
    model = build(latent)
    q = model.code.posterior(model.encoder(IMAGES))
    z = every_value(q)
    exact = (model.log_likelihood(z, IMAGES) + model.code.prior().log_prob(z)).logsumexp(0)
    torch.manual_seed(0)
    with torch.no_grad():
        torch.testing.assert_close(model.log_prob(IMAGES, k=100_000), exact, atol=0.05, rtol=0.0)


def test_vimco_maximises_the_bound_of_k_draws():
    model = build("bernoulli", estimator="vimco", k=4)
    torch.manual_seed(5)
    update = updated(model, IMAGES)
    torch.manual_seed(5)
    log_w = model.log_weights(IMAGES, 4)
    torch.testing.assert_close(-update.losses["vae"], (log_w.logsumexp(0) - math.log(4)).mean())
    torch.testing.assert_close(update.info["elbo"], log_w.mean())
    assert 1 <= float(update.info["effective_samples"]) <= 4


def test_a_gaussian_latents_loss_is_the_vaes():
    gaussian = {"latent": "gaussian", "samples": 400}
    ours = EstimatorVAERecipe(latent_dim=2, hidden=(3,), sigma=0.5, **gaussian).build(SHAPE)
    vae = VAERecipe(latent_dim=2, hidden=(3,), sigma=0.5).build(SHAPE)
    vae.load_state_dict({k: v for k, v in ours.state_dict().items() if not k.startswith("level")})
    a = updated(ours, IMAGES)
    b = updated(vae, IMAGES.repeat(400, 1, 1, 1))
    torch.testing.assert_close(a.info["kl"], b.info["kl"])
    torch.testing.assert_close(a.losses["vae"], b.losses["vae"], rtol=0.05, atol=0.05)


def test_the_temperature_is_a_function_of_the_clock_with_a_floor():
    model = build(
        "bernoulli", temperature=2.0, temperature_rate=0.1, temperature_floor=0.5, temperature_every=5
    )
    seen = []
    for step in (0, 4, 5, 9, 10, 1000):
        model.clock.step = step
        seen.append(model.temperature)
    cold = 2 * math.exp(-0.5)
    assert seen == pytest.approx([2.0, 2.0, cold, cold, 2 * math.exp(-1), 0.5])


def test_a_resumed_run_takes_up_the_temperature(tmp_path):
    cut = trainer(tmp_path, "discrete-vae, annealed", steps=12)
    cut.start()
    for _ in range(8):
        cut.one_step()
    cut.save()
    again = trainer(tmp_path, "discrete-vae, annealed", steps=12)
    again.resume()
    assert again.algorithm.temperature == cut.algorithm.temperature == pytest.approx(math.exp(-0.6))


def test_relaxed_and_discrete_bounds_agree_where_the_relaxation_is_cold():
    def gap(temperature: float) -> float:
        options = {"temperature": temperature, "temperature_floor": temperature, "temperature_rate": 0.0}
        model = build("categorical", samples=200, **options)
        info = updated(model, IMAGES).info
        torch.testing.assert_close(info["elbo_relaxed"], -info["kl"] - info["reconstruction"])
        return float((info["elbo_relaxed"] - info["elbo_discrete"]).abs())

    assert gap(0.001) < 0.01
    assert gap(5.0) > 0.1


def test_codes_are_hard_and_images_come_back(tmp_path):
    model = build("categorical").eval()
    z = model.encode(IMAGES)
    assert z.shape == (2, 6)
    assert z.view(2, 2, 3).sum(-1).eq(1).all()
    assert set(model.sample_prior(50).unique().tolist()) == {0.0, 1.0}
    assert set(model.sample_posterior(IMAGES).unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(model.reconstruct(IMAGES), model.decode(z))
    assert model.sample(3).shape == (3, *SHAPE)
    options = {**COMMON, **LATENTS["categorical"]}
    publish(tmp_path, model, {"method": "vae", "options": options, "shape": SHAPE, "step": 1})
    torch.testing.assert_close(load(tmp_path).encode(IMAGES), z)


def test_a_walk_through_bits_starts_at_the_priors_mean():
    model = build("bernoulli").eval()
    wrapped = Model(model, {"method": "vae", "shape": list(SHAPE), "step": 0})
    p = model.code.prior_logits.detach().sigmoid()
    found = codes(wrapped, to_uint8(IMAGES))
    torch.testing.assert_close(found.centre, p)
    torch.testing.assert_close(found.spread, (p * (1 - p)).sqrt())


@pytest.mark.parametrize("name", ["gumbel-softmax", "nvil", "disarm", "rloo"])
def test_two_images_are_learned_through_the_code(name):
    """A code has to tell them apart; the best bound of two equally frequent images is -ln 2."""
    torch.manual_seed(0)
    images = torch.randint(0, 2, (2, 1, 8, 8), dtype=torch.uint8) * 255
    data = replace(small_images(2), x=images)
    options = {"latent": "bernoulli", "latent_dim": 8, "hidden": (32,), "lr": 3e-2}
    model = EstimatorVAERecipe(
        estimator=name, samples=2, likelihood="bernoulli", binarization="static", **options
    ).build((1, 8, 8))
    players = model.players()
    stepper = Stepper(model, players, build_optimizers(players))
    draw = Stream({"data": data}, batch_size=16, seed=0)
    losses = []
    for step in range(150):
        losses.append(float(stepper(draw)["loss/vae"]))
        model.clock.step = step + 1
    assert losses[0] > 40
    # Bits that repeat each other cost up to ln 2 each, and no code at all about 22 nats.
    assert sum(losses[-10:]) / 10 < 8


def test_the_names_of_the_estimators_are_the_tables():
    (names,) = (t for t in get_args(get_type_hints(EstimatorHyperparameters)["estimator"]) if get_args(t))
    assert set(get_args(names)) == {*ESTIMATORS, "vimco"}
