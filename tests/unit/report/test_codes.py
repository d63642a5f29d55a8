"""Where the KL goes, in words, and the command where it goes astray."""

from __future__ import annotations

from pathlib import Path

from pushforward.config import RunConfig, TrainOptions
from pushforward.evaluation import Evaluation, Metric
from pushforward.methods import recipe_class
from pushforward.report.codes import what_codes_say
from pushforward.report.facts import Facts


def said(information=None, upper=None, kl=0.0, unit="nats"):
    named = {"kl": kl, "information": information, "information_upper": upper}
    metrics = [Metric(name=n, value=v, unit=unit) for n, v in named.items() if v is not None]
    config = RunConfig(method="vae", train=TrainOptions(), options=recipe_class("vae")())
    evaluation = Evaluation(
        500, tuple(metrics), (), {"information_ceiling": [6.2146], "information_images": [500]}
    )
    return what_codes_say(
        Facts(Path("runs/a b"), config, [], finished=True, running=False, evaluation=evaluation)
    )


def test_a_sound_code_is_described_and_nothing_asked():
    words = said(3.0, 3.1, 3.5)
    assert words.command == ""
    assert "z tells 3 nats of the image, by 500 images; the other 0.5 nats" in words.text


def test_a_dead_code_gets_the_cure():
    words = said(0.01, 0.01, 0.03)
    assert "ignores the code" in words.text
    assert words.command.startswith("pushforward train beta-vae --free-bits")


def test_codes_far_from_the_prior_are_to_be_sampled_by_their_mixture():
    words = said(2.0, 2.1, 11.0)
    assert words.command == "pushforward sample 'runs/a b' --from aggregate"


def test_a_saturated_measurement_says_no_more_than_it_knows():
    words = said(6.1, 18.0, 20.0, unit="nats, at least")
    assert "z tells 6.1 to 18 nats" in words.text
    assert "at least another 2 nats" in words.text
    assert words.command == ""


def test_without_gaussian_codes_there_is_nothing_to_say():
    assert said(None, None, 2.0) is None
