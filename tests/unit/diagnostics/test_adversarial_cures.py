"""Every cure is a command that can be typed, whatever the run was, and that builds."""

from __future__ import annotations

import shlex

import pytest

from pushforward.cli.train import _parse
from pushforward.config import RunConfig, TrainOptions
from pushforward.diagnostics.cures import adversarial_cures
from pushforward.methods import METHODS, recipe_class
from tests.runs import ADVERSARIAL


def config(method, *, train=None, **options):
    return RunConfig(
        method=method, train=TrainOptions(**(train or {})), options=recipe_class(method)(**options)
    )


def typed(command, run):
    """The run that a command or an option leads to."""
    words = shlex.split(command)
    if words[0] == "pushforward":
        assert words[1] == "train"
        return words[2], _parse(words[2], words[3:], None, {})
    rates = {words[0].removeprefix("--lr."): float(words[1])} if words[0].startswith("--lr.") else {}
    return run.method, _parse(run.method, [] if rates else words, run, {"lr_of": rates})


@pytest.mark.parametrize("method", [name for name in ADVERSARIAL if name in METHODS])
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_each_can_be_typed_and_builds_and_is_another_run(method, noise):
    run = config(method, train={"data": "ring", "steps": 700}, hidden=(30, 20), latent_dim=7, noise=noise)
    for name, command in adversarial_cures(run, scale=0.7).items():
        if not command:  # there is no such disease
            assert (name, hasattr(run.options, "penalty"), run.options.slope) in (
                ("slope-not-held", False, run.options.slope),
                ("dead-units", False, 0.2),
            )
            continue
        other, cured = typed(command, run)
        assert (cured.train.data, cured.train.steps) == ("ring", 700)
        assert (cured.options.latent_dim, cured.options.hidden) == (7, (30, 20))
        cured.options.build((2,))
        assert (other, cured.to_dict()) != (method, run.to_dict())


@pytest.mark.parametrize("method", [name for name in ADVERSARIAL if name in METHODS and name != "veegan"])
@pytest.mark.parametrize("augment", ["diffaugment", "ada", "dag"])
def test_what_the_critic_sees_of_few_images_is_kept(method, augment):
    small = {"network": "dcgan", "width": 4, "latent_dim": 4, "augment": augment, "lecam": 0.1}
    small |= {"ada_p": 0.3} if augment == "ada" else {}
    for name, command in adversarial_cures(config(method, **small)).items():
        if command:
            cured = typed(command, config(method, **small))[1].options
            assert (cured.augment, cured.lecam) == (augment, 0.1), name
            cured.build((3, 16, 16))


def test_a_collapse_is_met_by_r3gan_and_in_r3gan_by_a_stronger_penalty():
    assert adversarial_cures(config("gan", train={"data": "grid"}))["mode-collapse"] == (
        "pushforward train r3gan --data grid"
    )
    assert adversarial_cures(config("r3gan"))["mode-collapse"] == "--gamma 10"


def test_a_vanishing_gradient_is_met_where_it_comes_from():
    assert adversarial_cures(config("gan-minimax"))["vanishing-gradient"] == "pushforward train gan"
    assert adversarial_cures(config("wgan"))["vanishing-gradient"] == "pushforward train wgan-gp"
    assert adversarial_cures(config("gan"), scale=0.5)["vanishing-gradient"] == "--noise 0.1"
    assert adversarial_cures(config("gan", noise=0.1))["critic-saturated"].startswith(
        "pushforward train r3gan"
    )
    assert adversarial_cures(config("r3gan", noise=0.1, lr=2e-3))["critic-saturated"] == "--lr.critic 0.001"


def test_what_was_left_at_a_methods_own_default_takes_the_others():
    """A plain GAN's ReLU is its default, and no wish of the user's for R3GAN."""
    command = adversarial_cures(config("gan"))["mode-collapse"]
    assert typed(command, config("gan"))[1].options == recipe_class("r3gan")()
    command = adversarial_cures(config("gan", slope=0.1, critic_norm="spectral"))["mode-collapse"]
    assert "--slope 0.1" in command
    assert "--critic-norm" not in command


def test_a_conditional_run_stays_one_under_another_method():
    run = config("gan", train={"data": "digits"}, conditional=True)
    method, cured = typed(adversarial_cures(run)["mode-collapse"], run)
    assert (method, cured.options.conditional, cured.train.data) == ("r3gan", True, "digits")
    assert "--conditional" not in adversarial_cures(config("gan"))["mode-collapse"]
