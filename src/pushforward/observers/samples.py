"""Pictures of samples as training goes on, from the same latent draws each time."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.abilities import Samples, offers
from pushforward.core import Clock, Observation, Observer, Snapshot
from pushforward.pictures.points import Scene, scatter
from pushforward.pictures.tiles import grid, save_picture
from pushforward.run_folder import RunFolder

SHOWN = 2500  # points of the model; as many as the papers count modes by


class SamplePictures(Observer):
    """`samples/step-NNNNNNN.png` every so many steps: what the model draws from a fixed seed."""

    name = "samples"

    def __init__(self, *, every: int, n: int = 64) -> None:
        self.every = every
        self.n = n

    def due(self, clock: Clock) -> bool:
        """At step 0, every `every` steps, and at the end."""
        return self.every > 0 and (clock.step % self.every == 0 or clock.step == clock.steps)

    def observe(self, snapshot: Snapshot) -> Observation:
        """Write the picture."""
        model = snapshot.algorithm
        assert offers(model, Samples)
        torch.manual_seed(0)  # the loop puts the run's own random state back
        with torch.no_grad():
            images = model.sample(self.n)
        folder = RunFolder(snapshot.folder).samples
        folder.mkdir(exist_ok=True)
        save_picture(grid(images), folder / f"step-{snapshot.clock.step:07d}.png")
        return Observation()


class PointPictures(Observer):
    """`samples/step-NNNNNNN.png` every so many steps: the model's points in front of real ones.

    They are drawn from a fixed seed, so that what changes is the model.
    """

    name = "samples"

    def __init__(self, real: Float[Tensor, "n d"], *, every: int, n: int = SHOWN) -> None:
        self.real = real
        self.every = every
        self.n = n
        self._scene: Scene | None = None

    def due(self, clock: Clock) -> bool:
        """At step 0, every `every` steps, and at the end."""
        return self.every > 0 and (clock.step % self.every == 0 or clock.step == clock.steps)

    def observe(self, snapshot: Snapshot) -> Observation:
        """Write the picture."""
        self._scene = self._scene or Scene.of(self.real)
        model = snapshot.algorithm
        assert offers(model, Samples)
        torch.manual_seed(0)  # the loop puts the run's own random state back
        with torch.no_grad():
            points = model.sample(self.n)
        folder = RunFolder(snapshot.folder).samples
        folder.mkdir(exist_ok=True)
        step = snapshot.clock.step
        save_picture(scatter(self._scene, points, title=f"step {step:,}"), folder / f"step-{step:07d}.png")
        return Observation()
