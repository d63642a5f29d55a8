"""The command against a collapsed code is one that can be typed, whatever the run was."""

from __future__ import annotations

import shlex

import pytest

from pushforward.cli.train import _parse
from pushforward.config import RunConfig, TrainOptions
from pushforward.diagnostics.cures import collapse_cure
from pushforward.methods import recipe_class


def config(method, *, train=None, **options):
    return RunConfig(
        method=method, train=TrainOptions(**(train or {})), options=recipe_class(method)(**options)
    )


def test_another_methods_run_becomes_a_beta_vae_of_the_same_data_and_networks():
    run = config(
        "vae",
        train={"data": "my photos", "steps": 700, "limit": 90},
        latent_dim=7,
        hidden=(30, 20),
        likelihood="bernoulli",
    )
    words = shlex.split(collapse_cure(run))
    assert words[:3] == ["pushforward", "train", "beta-vae"]
    cured = _parse("beta-vae", words[3:], None, {})
    assert (cured.train.data, cured.train.steps, cured.train.limit) == ("my photos", 700, 90)
    options = cured.options
    assert (options.latent_dim, options.hidden, options.likelihood) == (7, (30, 20), "bernoulli")
    assert (options.free_bits, options.warm_up) == (0.1, 0.3)
    options.build((1, 8, 8))  # nothing in it contradicts itself


@pytest.mark.parametrize(
    ("options", "cure"),
    [
        ({}, "--free-bits 0.1 --warm-up 0.3"),
        ({"beta": 8.0}, "--beta 4 --warm-up 0.3"),
        ({"delta": 2.5}, "--delta 5"),
        ({"capacity": 1.0}, "--capacity 2"),
        ({"free_bits": 0.2}, "--free-bits 0.4"),
        ({"geco": 90.0}, ""),
    ],
)
def test_a_beta_vae_is_loosened_where_it_is_tight(options, cure):
    run = config("beta-vae", **options)
    assert collapse_cure(run) == cure
    _parse("beta-vae", shlex.split(cure), run, {}).options.build((1, 8, 8))
