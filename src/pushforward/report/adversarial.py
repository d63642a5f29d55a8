"""What the diagnosis of adversarial training left in the run folder: its last histogram, and the
animation."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from pushforward.diagnostics.mode_collapse import STARVED
from pushforward.files import read_metrics
from pushforward.report import svg
from pushforward.report.facts import Facts
from pushforward.run_folder import RunFolder

NAMED = 12  # bars that have room for a name
MOST_BYTES = 3_000_000  # of an animation inside the page


@dataclass(frozen=True)
class ModeBars:
    """Samples of each mode at the last look. held: modes with a tenth of their due or more, of k."""

    svg: str
    known: bool
    held: int
    k: int
    n: int
    step: int


def mode_bars(facts: Facts) -> ModeBars | None:
    """The last histogram of a run over modes or cells; None where none was kept."""
    rows = [row for row in read_metrics(RunFolder(facts.folder).diagnosis) if row.get("modes")]
    if not rows:
        return None
    counts, due = rows[-1]["modes"], rows[-1]["due"]
    data = facts.first.train if facts.first else None
    known = data is not None and data.modes is not None
    classes = (data.classes or ()) if known and data is not None else ()
    drawing = svg.histogram(
        counts,
        due,
        names=classes if len(classes) == len(counts) <= NAMED else (),
        label="Samples of each mode, in front of what is due",
    )
    held = sum(c >= STARVED * d for c, d in zip(counts, due, strict=True))
    return ModeBars(drawing, known, held, len(counts), sum(counts), rows[-1]["step"])


def animation(facts: Facts) -> str | None:
    """The moving picture of samples on the critic's landscape, inside the page; only of points in the
    plane."""
    path = RunFolder(facts.folder).animation
    if not RunFolder(facts.folder).frames.is_dir() or not path.is_file():
        return None
    content = path.read_bytes()
    if len(content) > MOST_BYTES:
        return None
    return f"data:image/gif;base64,{base64.b64encode(content).decode()}"
