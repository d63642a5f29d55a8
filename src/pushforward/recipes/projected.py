"""A critic that sees through a frozen network: its options, and how it is made."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

from pushforward.errors import UserError
from pushforward.features.efficientnet import efficientnet
from pushforward.networks.critic import Critic
from pushforward.networks.layers import Shape
from pushforward.networks.projected import LEAST_SIDE, Projection, projected_critic

LITE0 = "lite0"


@dataclass(kw_only=True)
class ProjectedOptions:
    """Options of every adversarial method with a critic of images."""

    critic: Literal["plain", "projected"] = "plain"
    """What the critic is. plain: that of --network. projected: heads on the features of a frozen
    EfficientNet-Lite0 at four scales, mixed at random (Sauer et al. 2021); images of at least 32 pixels."""
    projected_size: int | None = None
    """Pixels that the shorter side of images is enlarged to before a projected critic's features; their own
    size by default, 224 in the paper."""

    FAMILY: ClassVar[str] = f"efficientnet-{LITE0}"

    @property
    def features_used(self) -> tuple[str, ...]:
        """Families of features that the critic uses, which must not judge the model."""
        return (self.FAMILY,) if self.critic == "projected" else ()

    def projected(self, shape: Shape, *, width: int, pack: int, classes: int) -> Critic:
        """The critic of images of this shape. Raises UserError for data that it cannot be made for."""
        if len(shape) != 3:
            raise UserError("`critic`: projected, but `data` holds points; take plain")
        c, h, w = shape
        if c > 4:
            raise UserError(
                f"`critic`: projected, but images of {c} channels; expected 1 to 4, or take plain"
            )
        least, size = min(h, w), self.projected_size
        if size is not None and size < max(least, LEAST_SIDE):
            raise UserError(
                f"`projected_size`: {size} for images of {h}x{w}; expected at least {max(least, LEAST_SIDE)}"
            )
        if size is None and least < LEAST_SIDE:
            raise UserError(
                f"`critic`: projected, but images of {h}x{w}; expected sides of at least {LEAST_SIDE} "
                f"pixels; take `image_size` {LEAST_SIDE} or `projected_size` {LEAST_SIDE}, or plain"
            )
        projection = Projection((c, h, w), partial(efficientnet, LITE0), size=size, pack=pack)
        return projected_critic(projection, width=width, classes=classes)
