"""How samples of images look beside training images as training goes on: the cheap distances on features."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch

from pushforward.abilities import Samples, offers
from pushforward.core import Clock, Observation, Observer, Selector, Snapshot, to_uint8
from pushforward.data import Dataset
from pushforward.diagnostics.leak import LeakMeter, diagnose_leak, enough, train_leak_meter
from pushforward.features import cached_features, find_extractor, judge
from pushforward.metrics import mind, probabilistic
from pushforward.views.transforms import Transform

LOOKED_AT = 1000  # samples, and as many training images
LEAST = 50
LIKE_DATA = 0.1  # P-precision


class Quality(Observer):
    """MIND, P-precision and P-recall of 1,000 samples against as many training images, on features that the
    model has not seen. Held-out images are left for `evaluate`, since the best weights are chosen by this.

    data: the training images, at least 50. transforms: of the critic's views, if any: then it says, too, what
    share of samples looks transformed, beside that of real images.
    """

    name = "quality"

    def __init__(
        self,
        data: Dataset,
        *,
        every: int,
        seen: tuple[str, ...] = (),
        transforms: Sequence[Transform] = (),
    ) -> None:
        self.every = every
        order = torch.randperm(len(data), generator=torch.Generator().manual_seed(0))
        self.data = data.subset(order[:LOOKED_AT])
        self._whole, self._transforms = data, transforms if enough(data) else ()
        self.features = judge(seen)[0]
        self._extractor = None if not self.every else find_extractor(self.features, data.shape)

    @cached_property
    def _meter(self) -> LeakMeter:
        """Trained at the first look, not where a run begins."""
        return train_leak_meter(self._whole, self._transforms)

    @property
    def selector(self) -> Selector:
        """What it chooses the best weights by."""
        return Selector(f"mind[{self._name}]", higher_is_better=False)

    @property
    def _name(self) -> str:
        assert self._extractor is not None
        return self._extractor.name

    def due(self, clock: Clock) -> bool:
        """Every `every` steps and at the end, but not at step 0."""
        last = clock.step == clock.steps
        return self.every > 0 and clock.step > 0 and (last or clock.step % self.every == 0)

    def observe(self, snapshot: Snapshot) -> Observation:
        """Measure; nothing where a sample is not finite."""
        model, extractor = snapshot.algorithm, self._extractor
        assert offers(model, Samples)
        assert extractor is not None
        torch.manual_seed(0)  # the same noise at each look, so that changes are the model's
        with torch.no_grad():
            made = torch.cat([model.sample(len(part)).cpu() for part in self.data.x.split(250)])
        if not bool(torch.isfinite(made).all()):
            return Observation()
        fake, real = extractor(to_uint8(made)), cached_features(extractor, self.data)
        soft = probabilistic.probabilistic(real, fake)
        figures = {
            "mind": mind.mind(fake, real).value,
            "p_precision": soft.precision,
            "p_recall": soft.recall,
        }
        told = {f"{key}[{self._name}]": value for key, value in figures.items()}
        if not self._transforms:
            return Observation(told)
        leak, usual = self._meter(made), self._meter.real
        # What looks like no data at all looks like nothing transformed either.
        found = diagnose_leak(leak, usual) if soft.precision >= LIKE_DATA else None
        told |= {"leak": leak.value, "leak_real": usual.value}
        return Observation(told, [] if found is None else [found])
