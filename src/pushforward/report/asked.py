"""What a run was asked to do: where it differs from the defaults, and the command that repeats it."""

from __future__ import annotations

import dataclasses
import shlex
from dataclasses import dataclass
from typing import Any

from pushforward.config import BY_NAME, RunConfig, default_train
from pushforward.runs.run import DEFAULT_STEPS

# Where a run was put says nothing of what it did; --minutes became the steps that it lists.
UNTOLD = ("run", "minutes", *BY_NAME)


@dataclass(frozen=True)
class Choice:
    """An option that was not left at its default. words: as typed on a command line."""

    option: str
    value: str
    default: str
    words: tuple[str, ...]


def choices(config: RunConfig) -> list[Choice]:
    """Every option that differs from its default."""
    found = []
    for given, default in (
        (config.train, default_train(config.options, steps=DEFAULT_STEPS)),
        (config.options, type(config.options)()),
    ):
        for field in dataclasses.fields(given):
            value, usual = getattr(given, field.name), getattr(default, field.name)
            if field.name not in UNTOLD and value != usual:
                found.append(_choice(field.name, value, usual))
    for field_name, (option, _) in BY_NAME.items():
        for name, value in getattr(config.train, field_name).items():
            found.append(_choice(f"{option}.{name}", value, None))
    return found


def command(config: RunConfig, *, run: str) -> str:
    """The command line that trains the same again, into another folder."""
    words = [word for choice in choices(config) for word in choice.words]
    return shlex.join(["pushforward", "train", config.method, *words, "--run", run])


def _choice(name: str, value: Any, usual: Any) -> Choice:
    option = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        option = option if value else f"--no-{name.replace('_', '-')}"
        return Choice(option, "yes" if value else "no", "yes" if usual else "no", (option,))
    return Choice(option, _text(value), _text(usual), (option, *_words(value)))


def _words(value: Any) -> tuple[str, ...]:
    if isinstance(value, list | tuple):
        return tuple(str(v) for v in value)
    return (str(value),)


def _text(value: Any) -> str:
    if value is None:
        return "—"
    if isinstance(value, float):
        return f"{value:g}"
    return " ".join(_words(value)) or "none"
