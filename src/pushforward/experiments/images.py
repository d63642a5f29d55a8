"""Train a method on images in a cell, from the preset for their size, as `train` does without options."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from pushforward.core import Algorithm, to_uint8
from pushforward.data import Dataset, Stream
from pushforward.methods import recipe_class
from pushforward.models.model import Model
from pushforward.recipes.presets import PRESETS, preset_for
from pushforward.runs.data import classes_of
from pushforward.streams import build
from pushforward.training.fit import fitting


@dataclass(kw_only=True)
class Training:
    """A method on images, not yet trained.

    options: of the recipe, over those of the preset that fits the images, where the method has one. seconds:
    of processor time that `reports` has taken so far.
    """

    method: str
    data: Dataset
    steps: int
    seed: int
    options: Mapping[str, Any] = field(default_factory=dict)
    batch_size: int = 64
    seconds: float = 0.0

    def __post_init__(self) -> None:
        torch.manual_seed(self.seed)
        name = preset_for(self.method, self.data.shape)
        start = {} if name is None else dict(PRESETS[self.method, name].options)
        recipe = recipe_class(self.method)(**start | dict(self.options))
        self.classes = classes_of(recipe, self.data)
        self.algorithm: Algorithm = build(recipe, {"data": self.data.shape}, self.classes)

    def reports(self) -> Iterator[dict[str, Tensor]]:
        """Train; what each step reports, and between two of them the model may be looked at."""
        stream = Stream({"data": self.data}, batch_size=self.batch_size, seed=self.seed)
        since = time.process_time()
        self._fitting = fitting(self.algorithm, stream, self.steps)
        for reported in self._fitting:
            self.seconds += time.process_time() - since
            yield reported
            since = time.process_time()

    def trained(self) -> Model:
        """The model after all of its steps."""
        for _ in self.reports():
            pass
        return self.model

    def look(self, n: int, *, seed: int) -> Tensor:
        """n samples as bytes, by averaged weights where there are some; training goes on as if unseen."""
        self.algorithm.eval()
        with self._fitting.averages.published():
            made = to_uint8(self.model.sample(n, seed=seed))
        self.algorithm.train()
        return made

    @property
    def model(self) -> Model:
        """As it stands."""
        about: dict[str, Any] = {"method": self.method, "shape": self.data.shape, "step": self.steps}
        if self.classes is not None:
            about["classes"] = asdict(self.classes)
        return Model(self.algorithm, about)


def parameters(model: Model) -> int:
    """Numbers that were trained."""
    return sum(p.numel() for p in model.algorithm.parameters())
