"""The command that treats what an observer finds, for the run that it was found in."""

from __future__ import annotations

import dataclasses
import shlex
from typing import Any

from pushforward.config import RunConfig, TrainOptions
from pushforward.methods import recipe_class, treating
from pushforward.streams import DATA

FREE_NATS = 0.1  # in each dimension
RISE = 0.3  # share of the run in which the KL's weight rises
# What of a run another method's run keeps: its data, its length, and what both recipes call by one name.
KEPT_TRAIN = ("data", "test", "image_size", "channels", "limit", "limit_seed", "steps", "batch_size")
SLOPE = 0.2  # of LeakyReLU, as in DCGAN's critic
NOISE = 0.2  # of the data's standard deviation over all coordinates: half as far as modes lie, or less
STRONGER = 10  # times the penalty


def collapse_cure(config: RunConfig) -> str:
    """Against a code that says nothing: let the KL's weight rise, and keep nats free; or loosen the bound.

    An option to repeat the run with where it is a β-VAE already, else the whole command of one. "" where
    the method's own options leave nothing to loosen.
    """
    if hasattr(config.options, "free_bits"):
        return _loosened(config.options)
    command = another(config, treating("posterior-collapse"))
    return command and f"{command} --free-bits {FREE_NATS:g} --warm-up {RISE:g}"


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
    """The words of a command line for those of the named options that both have and that are not as usual."""
    types = {f.name: f.type for f in dataclasses.fields(usual)}
    shared = {f.name for f in dataclasses.fields(given) if f.type == types.get(f.name)}
    words = []
    for name in names:
        value = getattr(given, name) if name in shared else None
        if value is not None and value != getattr(usual, name):
            parts = value if isinstance(value, list | tuple) else (value,)
            # A switch takes no word: `--conditional True` would be read as data named True.
            words += [f"--{name.replace('_', '-')}", *([] if value is True else map(str, parts))]
    return words


def adversarial_cures(config: RunConfig, *, scale: float = 1.0) -> dict[str, str]:
    """A finding's name, or its beginning -> the command or the options to repeat the run with; "" for none.

    Only options that the run's recipe has, and methods that learn from its data. scale: standard deviation
    of the data over all coordinates, which noise is measured by.
    """
    options = config.options
    return {
        "mode-collapse": _paired(config),
        "mode-oscillation": _paired(config),
        "dead-units": "" if getattr(options, "slope", 1) else f"--slope {SLOPE:g}",
        "vanishing-gradient": _signal(config, scale),
        "critic-saturated": _overlap(config, scale),
        "slope-not-held": f"--penalty {STRONGER * options.penalty:g}" if hasattr(options, "penalty") else "",
    }


def _paired(config: RunConfig) -> str:
    """A method that pairs, on the same data and networks; where penalties damp the game, stronger ones."""
    damping = getattr(config.options, "damping", None)
    if damping is not None:
        return f"--{damping} {STRONGER * getattr(config.options, damping):g}"
    return another(config, treating("mode-collapse"))


def _signal(config: RunConfig, scale: float) -> str:
    """Another loss where the method's own is known for it, else data that overlap."""
    other = getattr(config.options, "keeps_gradient", None)
    return another(config, other) if other else _overlap(config, scale)


def _overlap(config: RunConfig, scale: float) -> str:
    """Noise on what the critic sees; where there is noise already, another method or a slower critic."""
    options = config.options
    if not getattr(options, "noise", True) and getattr(options, "augment", "none") == "none":
        return f"--noise {NOISE * scale:.2g}"
    if getattr(options, "damping", None) is None:
        return another(config, treating("critic-saturated"))
    return f"--lr.critic {config.train.lr_of.get('critic', options.lr) / 2:g}"


def another(config: RunConfig, method: str) -> str:
    """The whole command of another method on the data, for the steps and with the networks of this run.

    "" for a method of several streams, which no other could learn from, and for the method that runs: to do
    the same again cures nothing.
    """
    if config.streams != (DATA,) or method == config.method:
        return ""
    usual: Any = recipe_class(method)()
    words = ["pushforward", "train", method]
    words += changed(config.train, TrainOptions(), KEPT_TRAIN)
    own = type(config.options)()  # what the run left at its own method's default takes the other's
    kept = getattr(config.options, "kept", ())
    chosen = tuple(name for name in kept if getattr(config.options, name) != getattr(own, name))
    return shlex.join(words + changed(config.options, usual, chosen))
