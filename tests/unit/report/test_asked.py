"""The command that repeats a run says the same as its config."""

from __future__ import annotations

import shlex

import pytest

from pushforward.cli import main
from pushforward.config import config_from
from pushforward.report.asked import choices, command


def test_defaults_are_not_told():
    config = config_from({"method": "vae", "train": {"run": "x", "steps": 5000, "minutes": 3}}, where="test")
    assert choices(config) == []
    assert command(config, run="y") == "pushforward train vae --run y"


@pytest.mark.parametrize(
    "content",
    [
        {"method": "vae", "train": {"data": "my photos; rm", "steps": 7, "lr_of": {"vae": 0.01}}},
        {"method": "vae", "options": {"hidden": [64, 32], "likelihood": "bernoulli", "sigma": 0.5}},
        {
            "method": "vae",
            "train": {"steps": 9, "image_size": 32, "test": "mnist5k"},
            "options": {"ema": 0.9},
        },
    ],
)
def test_the_command_asks_for_the_same_config(content, capsys):
    config = config_from(content, where="test")
    words = shlex.split(command(config, run="again"))
    assert words[0] == "pushforward"
    main([*words[1:], "--print-config"])
    import yaml

    printed = config_from(yaml.safe_load(capsys.readouterr().out), where="printed").to_dict()
    expected = config.to_dict()
    expected["train"]["run"] = "again"
    assert printed == expected
