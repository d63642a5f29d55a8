"""What the codes of a run say of its images, in words, and what to do where that is little."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from pushforward.data.kinds import IMAGE
from pushforward.diagnostics.cures import collapse_cure
from pushforward.diagnostics.posterior_collapse import DEAD_NATS
from pushforward.report import words
from pushforward.report.facts import Facts

FAR_NATS = 1.0  # from the prior, and half of the KL: worth a word


@dataclass(frozen=True)
class Said:
    """A sentence or two, and a command that mends what they tell, or ""."""

    text: str
    command: str = ""


def what_codes_say(facts: Facts) -> Said | None:
    """Where the KL goes: to the image, or to a distance between all codes and the prior. None if unknown."""
    if facts.evaluation is None:
        return None
    find = facts.evaluation.find
    information, kl, upper = find("information"), find("kl"), find("information_upper")
    if information is None or kl is None or upper is None:
        return None
    kind = facts.model.kind if facts.model else IMAGE
    least, most = information.value, max(upper.value, information.value)
    sure = "at least" not in information.unit
    told = _nats(least) if sure else f"{words.number(round(least, 2))} to {_nats(most)}"
    detail = facts.evaluation.detail
    seen = kind.count(round(detail["information_images"][0]))
    text = f"Of a KL of {_nats(kl.value)} {kind.one}, z tells {told} of the {kind.name}, by {seen}"
    if most < DEAD_NATS or (sure and least < DEAD_NATS):
        cure = "let the KL's weight rise from 0, and keep nats free in each dimension"
        return Said(f"{text}: the decoder ignores the code. To mend it, {cure}.", collapse_cure(facts.config))
    gap = max(0.0, kl.value - (least if sure else most))  # at least
    other = "the other" if sure else "at least another"
    text += f"; {other} {_nats(gap)} are how far all codes together are from the prior."
    if gap > max(FAR_NATS, kl.value / 2):
        command = shlex.join(["pushforward", "sample", str(facts.folder), "--from", "aggregate"])
        return Said(f"{text} Codes drawn from the prior miss many of them: fit their mixture.", command)
    return Said(text)


def _nats(value: float) -> str:
    return f"{words.number(round(value, 2))} nats"
