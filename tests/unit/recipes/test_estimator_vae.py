"""What does not go together is refused, before anything is written, in one line that names the option."""

from __future__ import annotations

import pytest

from pushforward.algorithms.estimator_vae import EstimatorVAE
from pushforward.algorithms.vae import VAE
from pushforward.config import config_from
from pushforward.errors import UserError
from pushforward.recipes.estimator_vae import EstimatorVAERecipe
from pushforward.runs.run import train

SHAPE = (1, 8, 8)
GAUSSIAN = {"latent": "gaussian"}
BITS = {"latent": "bernoulli", "likelihood": "bernoulli"}
CHOICES = {"latent": "categorical", "likelihood": "bernoulli"}


@pytest.mark.parametrize(
    ("options", "start", "fix"),
    [
        ({**BITS, "estimator": "pathwise"}, "`estimator` pathwise with `latent` bernoulli", "gumbel-softmax"),
        ({**CHOICES, "estimator": "pathwise"}, "`estimator` pathwise with `latent` categorical", "rsample"),
        (
            {**GAUSSIAN, "estimator": "gumbel-softmax"},
            "`estimator` gumbel-softmax with `latent` gaussian",
            "pathwise",
        ),
        ({**GAUSSIAN, "estimator": "straight-through"}, "`estimator` straight-through with", "a Bernoulli"),
        ({**CHOICES, "estimator": "arm"}, "`estimator` arm with `latent` categorical", "rloo"),
        ({**CHOICES, "estimator": "disarm"}, "`estimator` disarm with `latent` categorical", "relax"),
        (
            {**BITS, "estimator": "rloo"},
            "`estimator` rloo with `latent` bernoulli: `samples` 1",
            "at least 2",
        ),
        ({**BITS, "estimator": "exact", "latent_dim": 11}, "`estimator` exact: 11 latents", "disarm"),
        ({**BITS, "estimator": "exact", "latent_dim": 40}, "`estimator` exact with", "at most 65536"),
        (
            {**GAUSSIAN, "estimator": "measure-valued", "latent_dim": 100, "sigma": 1.0},
            "`estimator` measure-valued with `latent` gaussian",
            "expected at most 128",
        ),
        ({**BITS, "temperature": 0.0}, "`temperature`: 0.0; expected a number above 0", "0.5"),
        ({**BITS, "temperature": -1.0}, "`temperature`: -1.0; expected a number above 0", "0.5"),
        ({**BITS, "temperature": float("nan")}, "`temperature`: nan; expected", "0.5"),
        ({**BITS, "temperature_floor": 0.0}, "`temperature_floor`: 0.0; expected", "0.5"),
        ({**BITS, "temperature": 0.3}, "`temperature`: 0.3, under the floor", "`temperature_floor`"),
        ({**BITS, "temperature_rate": -0.1}, "`temperature_rate`: -0.1", "1e-4"),
        ({**BITS, "temperature_every": 0}, "`temperature_every`: 0", "at least 1"),
        ({**GAUSSIAN, "samples": 0}, "`samples`: 0", "at least 1"),
        ({**CHOICES, "categories": 1}, "`categories`: 1", "at least 2"),
        ({**GAUSSIAN, "prior": "learned"}, "`prior`: learned", "`latent` bernoulli"),
        ({**BITS, "k": 5}, "`k`: 5, but gumbel-softmax", "`estimator` vimco"),
        ({**BITS, "estimator": "vimco", "k": 1}, "`k`: 1", "at least 2"),
        ({**BITS, "estimator": "vimco", "samples": 2}, "`samples`: 2, but vimco", "leave `samples` out"),
        ({"latent": "bernoulli", "estimator": "rebar"}, "`sigma`: optimal", "`sigma` learned"),
        ({**BITS, "decoder_samples": 1}, "`decoder_samples`: 1, but gumbel-softmax", "rloo"),
        (
            {**BITS, "estimator": "rloo", "samples": 4, "decoder_samples": 5},
            "`decoder_samples`: 5",
            "from 1 to `samples`, which is 4",
        ),
    ],
)
def test_bad_use_is_refused_with_its_fix(options, start, fix):
    with pytest.raises(UserError) as error:
        EstimatorVAERecipe(**options).build(SHAPE)
    assert str(error.value).startswith(start)
    assert fix in str(error.value)
    assert "\n" not in str(error.value)


def test_nothing_is_written_for_a_refused_run(tmp_path):
    options = {"latent": "categorical", "estimator": "arm"}
    with pytest.raises(UserError, match="`estimator` arm"):
        train("discrete-vae", data="digits", steps=1, run=str(tmp_path / "run"), options=options)
    assert not (tmp_path / "run").exists()


def test_an_estimator_that_there_is_none_of_is_named():
    with pytest.raises(UserError, match="estimator: 'gumble'"):
        train("discrete-vae", data="digits", steps=1, options={"latent": "bernoulli", "estimator": "gumble"})


@pytest.mark.parametrize("options", [{}, {"samples": 2}, {"estimator": "rloo", "samples": 2}, BITS, CHOICES])
def test_an_old_config_of_vae_that_used_these_options_is_a_discrete_vae(options):
    """Version 0.1.0 wrote every option of both into the configs of `vae`."""
    written = {"latent": "gaussian", "categories": 10, "samples": 1, "hidden": [16], **options}
    content = {"method": "vae", "options": written}
    if not options:
        config = config_from(content, where="old")
        assert (config.method, type(config.options.build(SHAPE))) == ("vae", VAE)
        return
    with pytest.warns(UserWarning, match="'vae' with these options is called 'discrete-vae' now"):
        config = config_from(content, where="old")
    assert type(config.options.build(SHAPE)) is EstimatorVAE
    assert {k: config.to_dict()["options"][k] for k in written} == written


def test_what_neither_method_knows_is_still_named():
    with pytest.raises(UserError, match=r"options\.categries: there is no such option"):
        config_from({"method": "vae", "options": {"categries": 4}}, where="old")


@pytest.mark.parametrize(("latent", "name"), [("gaussian", "pathwise"), ("categorical", "gumbel-softmax")])
def test_the_estimator_defaults_to_the_latents_own(latent, name):
    assert EstimatorVAERecipe(latent=latent).chosen_estimator == name


def test_a_categorical_latent_is_as_wide_as_its_classes_together():
    model = EstimatorVAERecipe(**CHOICES, latent_dim=20, categories=10, hidden=(5,)).build(SHAPE)
    assert model.encoder[-1].out_features == 200
    assert model.decoder[0].in_features == 200
    convolutional = EstimatorVAERecipe(**CHOICES, latent_dim=4, categories=3, network="conv", width=2).build(
        SHAPE
    )
    assert convolutional.sample(2).shape == (2, *SHAPE)
