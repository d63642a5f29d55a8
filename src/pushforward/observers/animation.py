"""`samples/animation.gif`: training as a moving picture, from frames that lie in the run folder."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.core import Clock, Observation, Observer, Snapshot
from pushforward.pictures.animation import MILLISECONDS, animate, frames_until
from pushforward.pictures.landscape import Stage
from pushforward.pictures.points import Scene
from pushforward.pictures.tiles import save_picture
from pushforward.run_folder import RunFolder
from pushforward.views import Packing

SHOWN = 1000  # samples in a frame


class LandscapeAnimation(Observer):
    """Samples of a model of points in the plane, on its critic's landscape.

    Frames are `samples/frames/step-NNNNNNN.png`; frames of a future that a resume has undone are removed. The
    samples are of the same z each time.
    """

    name = "animation"

    def __init__(self, real: Float[Tensor, "n 2"], *, every: int) -> None:
        self.real = real
        self.every = every
        self._stage: Stage | None = None

    def due(self, clock: Clock) -> bool:
        """At step 0, every `every` steps, and at the end."""
        return self.every > 0 and (clock.step % self.every == 0 or clock.step == clock.steps)

    def observe(self, snapshot: Snapshot) -> Observation:
        """Draw a frame; at the end, and when frames have doubled in number, the animation."""
        self._stage = self._stage or Stage(Scene.of(self.real))
        model, clock = snapshot.algorithm, snapshot.clock
        torch.manual_seed(0)  # the loop puts the run's own random state back
        with torch.no_grad():
            points = model.sample(SHOWN)  # type: ignore[operator]
            grid, real = (x.to(snapshot.device) for x in (self._stage.grid, self.real[:SHOWN]))
            scores = solo_scores(model, torch.cat([grid, real, points]), real).cpu()
        landscape, of_real, of_samples = scores.split([len(grid), len(real), len(points)])
        frame = self._stage.frame(
            points.cpu(), landscape, middle=(of_real.mean() + of_samples.mean()).item() / 2, step=clock.step
        )
        folder = RunFolder(snapshot.folder).frames
        folder.mkdir(parents=True, exist_ok=True)
        save_picture(frame, folder / f"step-{clock.step:07d}.png")
        frames = frames_until(folder, clock.step)
        doubled = (
            len(frames) & (len(frames) - 1) == 0
        )  # since it was last written: to write it costs all frames
        if clock.step == clock.steps or doubled:
            animate(frames, folder.parent / "animation.gif")
        return Observation()


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
            animate(frames, RunFolder(snapshot.folder).animation, milliseconds=4 * MILLISECONDS)
        return Observation()


def solo_scores(model: Any, x: Float[Tensor, "b d"], companions: Float[Tensor, "n d"]) -> Float[Tensor, " b"]:
    """What the critic thinks of single points, without its views' noise; higher is more real.

    A critic of m points at once sees each beside m - 1 real companions, the same for all. One of pairs sees
    each with the code that the reconstructor gives it, and is asked the other way round (VEEGAN).
    """
    network = model.critic.network
    if hasattr(model, "reconstructor"):
        return -network(x, model.encode(x)).flatten()
    m = max([view.m for view in model.critic.views if isinstance(view, Packing)], default=1)
    beside = companions[: m - 1].flatten().expand(len(x), -1)
    return network(torch.cat([x, beside], 1)).flatten().float()
