"""Which preset a run takes by itself, where nothing was said."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from pushforward.config import RunConfig
from pushforward.recipes.presets import NONE, PRESETS, preset_for
from pushforward.runs.data import Prepared


def choose_preset(config: RunConfig, data: Prepared, given: Collection[str] | None) -> str:
    """Write the options of the preset that fits the data into the config; returns a line about it.

    given: names of options that were asked for, None where all were, as in a file. Nothing is chosen where
    one of the method's own is among them, or a preset was named.
    """
    own = {field.name for field in dataclasses.fields(config.options)}
    if given is None or config.train.preset is not None or own & set(given):
        return ""
    name = preset_for(config.method, data.train[data.first].shape)
    if name is None:
        return ""
    preset = PRESETS[config.method, name]
    for option, value in preset.options.items():
        setattr(config.options, option, tuple(value) if isinstance(value, list) else value)
    for option, value in preset.train.items():
        if option not in given:
            setattr(config.train, option, value)
    config.train.preset = name
    return f"preset  {name}, for {preset.about}; --preset {NONE} for the plain defaults"
