"""What the recipes share that translate between two sets of images: networks and views, from options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pushforward.algorithms.translation import TranslationHyperparameters
from pushforward.errors import UserError
from pushforward.networks.layers import Shape, normal_init_
from pushforward.networks.translation import TranslationGenerator, patch_critic
from pushforward.recipes.augment import AugmentOptions
from pushforward.views import Identity, ViewedCritic


@dataclass(kw_only=True)
class TranslationRecipe(AugmentOptions, TranslationHyperparameters):
    """Options of every such method. Those of augmentation hold for each of its critics."""

    streams: ClassVar[tuple[str, ...]] = ("a", "b")
    train_defaults: ClassVar[Mapping[str, Any]] = {"batch_size": 1}  # as in the papers
    width: int = 64
    """Channels of a generator at the image's own size; 4 times as many at a quarter of it."""
    blocks: int = 6
    """Residual blocks of a generator; the paper has 6 for images of 128 pixels, 9 for larger ones."""
    critic_width: int = 64
    """Channels of a critic after its first halving; they double with each further layer."""
    halvings: int | None = None
    """Halvings of a critic: 1, 2 or 3 make it look at patches of 16, 34 or 70 pixels. By default as many
    as images have room for."""

    def check(self) -> None:
        """Raise UserError at the first value that cannot be."""
        super().check()
        self.check_augment()
        for name, least in (("width", 1), ("blocks", 0), ("critic_width", 1)):
            if getattr(self, name) < least:
                raise UserError(f"`{name}`: {getattr(self, name)}; expected at least {least}")

    def generator(self, image: Shape) -> TranslationGenerator:
        """Of images of this shape, (channels, height, width)."""
        return TranslationGenerator(image[0], width=self.width, blocks=self.blocks)

    def image(self, a: Shape, b: Shape) -> tuple[int, int, int]:
        """The shape of both domains, or UserError where they differ or are points."""
        if len(a) != 3 or len(b) != 3:
            name = "a" if len(a) != 3 else "b"
            raise UserError(f"`data.{name}`: points, and this method translates images; take images")
        if a[0] != b[0]:
            raise UserError(
                f"`data.a`: images of {a[0]} channels, and `data.b`: of {b[0]}; both domains are to have as "
                f"many: add `channels` {max(a[0], b[0])}, which converts both"
            )
        if a != b:
            raise UserError(
                f"`data.a`: images of {a[1]}x{a[2]}, and `data.b`: of {b[1]}x{b[2]}; both domains are to "
                "have one size: add `image_size`, which converts both"
            )
        return a[0], a[1], a[2]

    def critic(self, image: tuple[int, int, int]) -> ViewedCritic:
        """Of patches of images of this shape, with the views and penalties that were asked for."""
        network = patch_critic(image, width=self.critic_width, halvings=self.halvings)
        views = [Identity()] if self.augment == "none" else self.augmented(network, image)
        penalties = self.regularizers(len(views), image)
        return normal_init_(ViewedCritic(network, views, penalties=penalties, sampled=self.sampled))
