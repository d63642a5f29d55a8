"""Options that are taken out of a command line before it is parsed: --lr.PLAYER RATE and its like."""

from __future__ import annotations

from typing import Any

from pushforward.config import BY_NAME
from pushforward.errors import UserError

Named = dict[str, dict[str, Any]]  # field of `TrainOptions` -> name -> value
EXAMPLES = {"lr": "RATE, such as --lr.vae 1e-4", "data": "SOURCE", "test": "SOURCE"}


def by_name(argv: list[str]) -> tuple[list[str], Named]:
    """Take `--lr.PLAYER RATE` and its like out of argv."""
    rest: list[str] = []
    named: Named = {field: {} for field in BY_NAME}
    words = iter(argv)
    for word in words:
        option, equals, value = word.partition("=")
        field = _field_by_name(option)
        if field is None:
            rest.append(word)
        else:
            stem, _, name = option.partition(".")
            named[field][name] = _value(option, stem, value if equals else next(words, ""))
    return rest, named


def _field_by_name(option: str) -> str | None:
    """The field that `--lr.PLAYER` sets an entry of; None for any other option."""
    for field, (stem, what) in BY_NAME.items():
        if option == f"--{field.replace('_', '-')}":
            raise UserError(f"{option}: write it as --{stem}.{what} {EXAMPLES[stem]}")
        if option.startswith(f"--{stem}."):
            return field
    return None


def _value(option: str, stem: str, text: str) -> Any:
    if stem != "--lr":
        if not text or text.startswith("--"):
            raise UserError(f"{option}: no value given")
        return text
    try:
        return float(text)
    except ValueError:
        raise UserError(f"{option}: {text!r}; expected a number such as 1e-4") from None


def take(argv: list[str], option: str) -> tuple[list[str], str | None]:
    """Take `--option VALUE` or `--option=VALUE` out of argv."""
    for i, word in enumerate(argv):
        if word.startswith(f"{option}="):
            return argv[:i] + argv[i + 1 :], word.partition("=")[2]
        if word == option:
            if i + 1 == len(argv):
                raise UserError(f"{option}: no value given")
            return argv[:i] + argv[i + 2 :], argv[i + 1]
    return argv, None
