"""Which preset a run takes by itself, where nothing was said."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from pushforward.config import RunConfig
from pushforward.recipes.adversarial import AdversarialRecipe
from pushforward.recipes.augment import FEW, FEW_SIDE, FOR_FEW, AugmentOptions
from pushforward.recipes.presets import NONE, PRESETS, preset_for
from pushforward.runs.data import Prepared

OTHERWISE = {"noise", "pack", "critic", "freeze_critic"}  # other options of what the critic sees


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


def choose_for_few(config: RunConfig, data: Prepared, given: Collection[str] | None) -> str:
    """Write what helps with few images into the config of a run with a critic; returns a line about it.

    given: as for `choose_preset`. Nothing is chosen where an option of what the critic sees is among them,
    where `preset` is none, and for points and images of fewer than 16 pixels.
    """
    train = data.train[data.first]
    if given is None or not isinstance(config.options, AdversarialRecipe) or config.train.preset == NONE:
        return ""
    seen = {field.name for field in dataclasses.fields(AugmentOptions)} | OTHERWISE
    if seen & set(given) or len(train) >= FEW or len(train.shape) != 3 or min(train.shape[1:]) < FEW_SIDE:
        return ""
    for option, value in FOR_FEW.items():
        setattr(config.options, option, value)
    said = " ".join(f"--{option} {value}" for option, value in FOR_FEW.items())
    why = "so that the critic does not learn them by heart"
    return f"few     {len(train):,} images: {said}, {why}; --augment none leaves it out"
