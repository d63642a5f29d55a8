"""CycleGAN: networks and views for two domains, from options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from pushforward.algorithms.cyclegan import CycleGAN, CycleGANHyperparameters
from pushforward.networks.layers import Shape
from pushforward.networks.translation import SMALLEST
from pushforward.recipes.translation import TranslationRecipe


@dataclass(kw_only=True)
class CycleGANRecipe(TranslationRecipe, CycleGANHyperparameters):
    """Options of `train cyclegan`. Those of augmentation hold for both critics."""

    algorithm: ClassVar[Callable[..., CycleGAN]] = CycleGAN

    def build(self, *, a: Shape, b: Shape) -> CycleGAN:
        """A freshly initialised model between images (channels, height, width) of one shape."""
        self.check()
        image = self.image(a, b)
        return CycleGAN(
            generator_a=self.generator(image),
            generator_b=self.generator(image),
            critic_a=self.critic(image),
            critic_b=self.critic(image),
            shape=image,
            hyper=self,
            smallest_side=SMALLEST,
        )
