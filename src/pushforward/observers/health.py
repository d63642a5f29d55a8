"""When to look at the health of adversarial training, and what is remembered of earlier looks."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pushforward.abilities import GAME
from pushforward.core import Clock, Observation, Observer, Snapshot
from pushforward.data import Dataset
from pushforward.diagnostics.exam import Examiner
from pushforward.diagnostics.games import diagnose
from pushforward.observers.history import History
from pushforward.run_folder import RunFolder

SETTLED = 0.25  # of the run: before it, few modes and an eager critic are how training begins


class AdversarialHealth(Observer):
    """Looks at a game between a generator and a critic, about twenty times a run; not at step 0.

    data: what the model is trained on, by stream, with modes where they are known. game: which one; where a
    model has several, its name is the observer's. batch_size: of the training step that the generator's
    gradient is read from. cures: a command for each finding, by the finding's name or its beginning.
    options: names of those that the run has.

    What findings about a trend need of earlier looks is in the run folder's `diagnosis.jsonl`, or
    `diagnosis-GAME.jsonl`; rows that a resume has undone are dropped.
    """

    name = "health"

    def __init__(
        self,
        data: Mapping[str, Dataset],
        *,
        every: int,
        batch_size: int,
        game: str = GAME,
        cures: Mapping[str, str] | None = None,
        options: Collection[str] | None = None,
    ) -> None:
        self.every = every
        self.cures, self.options = cures or {}, options
        self.examiner = Examiner(data, game=game, batch_size=batch_size)
        if game != GAME:
            self.name = game

    def due(self, clock: Clock) -> bool:
        """Every `every` steps and at the end, but not at step 0."""
        last = clock.step == clock.steps
        return clock.step > 0 and (last or (self.every > 0 and clock.step % self.every == 0))

    def observe(self, snapshot: Snapshot) -> Observation:
        """Look, remember, and say what is found."""
        algorithm, clock = snapshot.algorithm, snapshot.clock
        exam = self.examiner.look(algorithm, clock, snapshot.device)
        if exam is None:
            return Observation()
        history = History(RunFolder(snapshot.folder).diagnosis(self.prefix.rstrip("/")), clock.step)
        history.add(**exam.row)
        if clock.done < SETTLED:
            return Observation(metrics=exam.metrics)
        real = self.examiner.data[exam.game.stream]
        found = diagnose(exam, history.column, real, cures=self.cures, options=self.options)
        return Observation(exam.metrics, found)
