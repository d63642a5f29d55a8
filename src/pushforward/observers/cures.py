"""The command that treats what an observer finds, for the run that it was found in."""

from __future__ import annotations

import dataclasses
import shlex
from typing import Any

from pushforward.config import RunConfig, TrainOptions
from pushforward.methods import recipe_class

FREE_NATS = 0.1  # in each dimension
RISE = 0.3  # share of the run in which the KL's weight rises
# What of a run another method's run keeps: its data, its length, and what both recipes call by one name.
KEPT_TRAIN = ("data", "test", "image_size", "channels", "limit", "limit_seed", "steps", "batch_size")
KEPT = ("latent_dim", "likelihood", "sigma", "binarization", "mixtures", "network", "hidden", "width")


def collapse_cure(config: RunConfig) -> str:
    """Against a code that says nothing: let the KL's weight rise, and keep nats free; or loosen the bound.

    An option to repeat the run with where it is a β-VAE already, else the whole command of one. "" where
    the method's own options leave nothing to loosen.
    """
    if config.method == "beta-vae":
        return _loosened(config.options)
    words = ["pushforward", "train", "beta-vae"]
    words += changed(config.train, TrainOptions(), KEPT_TRAIN)
    words += changed(config.options, recipe_class("beta-vae")(), KEPT)
    return shlex.join([*words, "--free-bits", f"{FREE_NATS:g}", "--warm-up", f"{RISE:g}"])


def _loosened(options: Any) -> str:
    for name in ("delta", "capacity", "free_bits"):
        value = getattr(options, name)
        if value is not None:
            return f"--{name.replace('_', '-')} {2 * value:g}"
    if options.geco is not None:
        return ""
    if options.beta is not None:
        return f"--beta {options.beta / 2:g} --warm-up {RISE:g}"
    return f"--free-bits {FREE_NATS:g} --warm-up {RISE:g}"


def changed(given: Any, usual: Any, names: tuple[str, ...]) -> list[str]:
    """The words of a command line for those of the named options that are not as usual."""
    known = {f.name for f in dataclasses.fields(given)} & {f.name for f in dataclasses.fields(usual)}
    words = []
    for name in names:
        value = getattr(given, name) if name in known else None
        if value is not None and value != getattr(usual, name):
            parts = value if isinstance(value, list | tuple) else (value,)
            words += [f"--{name.replace('_', '-')}", *map(str, parts)]
    return words
