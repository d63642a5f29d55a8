"""Pictures of samples as training goes on, from the same latent draws each time."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from pushforward.abilities import Decodes, HasPrior, Samples, Translates, offers
from pushforward.core import Clock, Observation, Observer, Snapshot, to_float
from pushforward.data import Dataset
from pushforward.diagnostics.exam import shuffled
from pushforward.distributions.labels import Labels
from pushforward.pictures.points import Scene, scatter
from pushforward.pictures.tiles import grid, save_picture
from pushforward.run_folder import RunFolder

SHOWN = 2500  # points of the model; as many as the papers count modes by


def keep(picture: Image.Image, snapshot: Snapshot) -> None:
    """Write a picture under its step, and once more as the latest."""
    folder = RunFolder(snapshot.folder)
    folder.samples.mkdir(exist_ok=True)
    save_picture(picture, folder.samples / f"step-{snapshot.clock.step:07d}.png")
    save_picture(picture, folder.latest)


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
        labels: Labels | None = getattr(model, "labels", None)
        with torch.no_grad():
            if labels is not None and offers(model, HasPrior) and offers(model, Decodes):
                keep(self._by_class(model.sample_prior, model.decode, labels), snapshot)
                return Observation()
            images = model.sample(self.n)
        keep(grid(images), snapshot)
        return Observation()

    def _by_class(
        self, prior: Callable[[int], Tensor], decode: Callable[[Tensor], Tensor], labels: Labels
    ) -> Image.Image:
        """A row for each class, of the first ones where there are many; the same noise in each row."""
        each = max(2, self.n // len(labels))
        rows = min(len(labels), self.n // each)
        noise = labels.split(prior(each))[0].repeat(rows, 1)
        z = labels.beside(noise, torch.arange(rows, device=noise.device).repeat_interleave(each))
        return grid(decode(z), columns=each)


class TranslationPictures(Observer):
    """`samples/step-NNNNNNN.png` every so many steps: the same images of each domain, below them their
    translations, and below these what comes back, where the model translates back.

    data: by stream, images of one size.
    """

    name = "samples"

    def __init__(self, data: Mapping[str, Dataset], *, every: int, n: int = 8) -> None:
        self.data = data
        self.every = every
        self.n = n

    def due(self, clock: Clock) -> bool:
        """At step 0, every `every` steps, and at the end."""
        return self.every > 0 and (clock.step % self.every == 0 or clock.step == clock.steps)

    def observe(self, snapshot: Snapshot) -> Observation:
        """Write the picture."""
        model = snapshot.algorithm
        assert offers(model, Translates)
        rows: list[Tensor] = []
        with torch.no_grad():
            for to in reversed(model.into):
                source = next(name for name in self.data if name != to)
                own = self.data[source]  # data may be sorted by class
                x = to_float(own.x[shuffled(len(own), seed=0)[: self.n]].to(snapshot.device))
                rows += [x, there := model.translate(x, to)]
                if source in model.into:
                    rows.append(model.translate(there, source))
        keep(grid(torch.cat(rows), columns=len(rows[0])), snapshot)
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
        keep(scatter(self._scene, points, title=f"step {snapshot.clock.step:,}"), snapshot)
        return Observation()
