"""What the diagnosis of adversarial training left in the run folder: its last histogram, and the
animation."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from pushforward.abilities import GAME, Adversarial, Game, offers
from pushforward.data import Dataset
from pushforward.diagnostics.mode_collapse import STARVED
from pushforward.files import read_metrics
from pushforward.report import svg
from pushforward.report.facts import Facts
from pushforward.run_folder import RunFolder

NAMED = 12  # bars that have room for a name
MOST_BYTES = 3_000_000  # of an animation inside the page


@dataclass(frozen=True)
class ModeBars:
    """Samples of each mode at the last look. held: modes with a tenth of their due or more, of k.

    game: which one, where the model has several.
    """

    game: str
    svg: str
    known: bool
    held: int
    k: int
    n: int
    step: int


def mode_bars(facts: Facts) -> list[ModeBars]:
    """The last histogram of each game of a run over modes or cells; none where none was kept."""
    bars = (_bars(facts, game) for game in RunFolder(facts.folder).diagnosed)
    return [b for b in bars if b is not None]


def _bars(facts: Facts, game: str) -> ModeBars | None:
    rows = [
        row for row in read_metrics(RunFolder(facts.folder).diagnosis(game), "LookRow") if row.get("modes")
    ]
    if not rows:
        return None
    counts, due = rows[-1]["modes"], rows[-1]["due"]
    data = _real(facts, game or GAME)
    known = data is not None and data.modes is not None
    classes = (data.classes or ()) if known and data is not None else ()
    drawing = svg.histogram(
        counts,
        due,
        names=classes if len(classes) == len(counts) <= NAMED else (),
        label="Samples of each mode, in front of what is due",
    )
    held = sum(c >= STARVED * d for c, d in zip(counts, due, strict=True))
    return ModeBars(game, drawing, known, held, len(counts), sum(counts), rows[-1]["step"])


def _real(facts: Facts, game: str) -> Dataset | None:
    """The data that a game's samples are held against; None where they or the model cannot be read."""
    algorithm = facts.model.algorithm if facts.model else None
    games: Mapping[str, Game] = algorithm.games() if offers(algorithm, Adversarial) else {}
    stream = games[game].stream if game in games else ""
    own = facts.data.get(stream, facts.first)
    return own.train if own else None


def animations(facts: Facts) -> dict[str, str]:
    """The moving pictures of samples on the critics' landscapes, inside the page, by game; only of points in
    the plane. The only game of a model is called ""."""
    found, run = {}, RunFolder(facts.folder)
    for game in run.diagnosed or [""]:
        path = run.animation(game)
        if run.frames(game).is_dir() and path.is_file() and path.stat().st_size <= MOST_BYTES:
            found[game] = f"data:image/gif;base64,{base64.b64encode(path.read_bytes()).decode()}"
    return found
