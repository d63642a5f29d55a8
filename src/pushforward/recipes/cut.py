"""CUT: a generator with heads, and a critic of the second domain, from options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from pushforward.algorithms.cut import CUT, CUTHyperparameters
from pushforward.networks.layers import Shape
from pushforward.networks.translation import SMALLEST
from pushforward.recipes.translation import TranslationRecipe


@dataclass(kw_only=True)
class CUTRecipe(TranslationRecipe, CUTHyperparameters):
    """Options of `train cut`. Those of augmentation are of its one critic."""

    algorithm: ClassVar[Callable[..., CUT]] = CUT

    def build(self, *, a: Shape, b: Shape) -> CUT:
        """A freshly initialised model from images (channels, height, width) to images of the same shape."""
        self.check()
        image = self.image(a, b)
        return CUT(
            generator=self.generator(image), critic=self.critic(image), hyper=self, smallest_side=SMALLEST
        )
