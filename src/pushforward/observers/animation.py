"""`samples/animation.gif`: training as a moving picture, from frames that lie in the run folder."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from pushforward.abilities import GAME, Adversarial, offers
from pushforward.core import Clock, Observation, Observer, Snapshot
from pushforward.data import Dataset
from pushforward.diagnostics.exam import random_rows, shuffled
from pushforward.pictures.animation import MILLISECONDS, animate, frames_until
from pushforward.pictures.landscape import Stage
from pushforward.pictures.points import Scene
from pushforward.pictures.tiles import save_picture
from pushforward.run_folder import RunFolder

SHOWN = 1000  # samples in a frame, and real points that it is laid out by


class LandscapeAnimation(Observer):
    """Samples of a model of points in the plane, on its critic's landscape: what it thinks of single points.

    data: what the model is trained on, by stream. game: which one; where a model has several, its name is in
    the observer's and the files'. Frames are `samples/frames/step-NNNNNNN.png`; frames of a future that a
    resume has undone are removed. The samples are of the same inputs each time.
    """

    name = "animation"

    def __init__(self, data: Mapping[str, Dataset], *, every: int, game: str = GAME) -> None:
        self.data = data
        self.game = game
        self.every = every
        self._stage: Stage | None = None
        if game != GAME:
            self.name = f"animation-{game}"

    def due(self, clock: Clock) -> bool:
        """At step 0, every `every` steps, and at the end."""
        return self.every > 0 and (clock.step % self.every == 0 or clock.step == clock.steps)

    def observe(self, snapshot: Snapshot) -> Observation:
        """Draw a frame; at the end, and when frames have doubled in number, the animation."""
        algorithm, clock, device = snapshot.algorithm, snapshot.clock, snapshot.device
        assert offers(algorithm, Adversarial)
        game = algorithm.games()[self.game]
        real = self._real(game.stream)
        self._stage = self._stage or Stage(Scene.of(real))
        torch.manual_seed(0)  # the loop puts the run's own random state back
        with torch.no_grad():
            points = game.generate(game.inputs(random_rows(self.data, SHOWN, device), SHOWN))
            grid, real = (x.to(device) for x in (self._stage.grid, real))
            scores = game.realness(torch.cat([grid, real, points]), beside=real).cpu()
        landscape, of_real, of_samples = scores.split([len(grid), len(real), len(points)])
        frame = self._stage.frame(
            points.cpu(), landscape, middle=(of_real.mean() + of_samples.mean()).item() / 2, step=clock.step
        )
        run, name = RunFolder(snapshot.folder), "" if self.game == GAME else self.game
        folder = run.frames(name)
        folder.mkdir(parents=True, exist_ok=True)
        save_picture(frame, folder / f"step-{clock.step:07d}.png")
        frames = frames_until(folder, clock.step)
        doubled = (
            len(frames) & (len(frames) - 1) == 0
        )  # since it was last written: to write it costs all frames
        if clock.step == clock.steps or doubled:
            animate(frames, run.animation(name))
        return Observation()

    def _real(self, stream: str) -> Tensor:
        data = self.data[stream]
        return data.x[shuffled(len(data), seed=0)[:SHOWN]]


class GridAnimation(Observer):
    """The pictures `samples/step-NNNNNNN.png` as one moving one, at the end of a run of images."""

    name = "animation"

    def due(self, clock: Clock) -> bool:
        """At the end."""
        return clock.step == clock.steps

    def observe(self, snapshot: Snapshot) -> Observation:
        """Write the animation, where there are at least two pictures."""
        frames = frames_until(RunFolder(snapshot.folder).samples, snapshot.clock.step)
        if len(frames) > 1:
            animate(frames, RunFolder(snapshot.folder).animation(), milliseconds=4 * MILLISECONDS)
        return Observation()
