"""What a critic sees of few images: the options of augmentation, and the views that they make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pushforward.errors import UserError
from pushforward.networks.critic import Critic
from pushforward.networks.layers import Shape
from pushforward.views import Identity, View
from pushforward.views.transformed import Transformed
from pushforward.views.transforms import transforms_of

Kind = Literal["rotation", "flip", "fliprot", "translation", "crop"]


@dataclass(kw_only=True)
class AugmentOptions:
    """Options of every adversarial method for few images."""

    augment: Literal["none", "dag", "dag-single"] = "none"
    """What the critic sees of images instead of themselves. dag: each transform by a head of its own (Tran et
    al. 2020); dag-single: all transforms by one head, the paper's weaker variant."""
    dag_transforms: tuple[Kind, ...] = ("rotation",)
    """Transforms of dag, beside the image itself."""
    dag_weight: float = 0.2
    """λ of dag: the weight of the mean over transforms of their losses, for critic and generator alike."""
    dag_heads_per_step: int | None = None
    """Transforms of dag that are shown in a step, drawn anew for each; all by default."""
    dag_share: float = 1.0
    """Share of the batch that a transform of dag is shown."""

    def augmented(self, network: Critic, shape: Shape) -> list[View]:
        """The views. network: the critic's, of which a view may ask `new_head()`."""
        transforms = transforms_of(self.dag_transforms, shape)
        weight = self.dag_weight / len(transforms)
        own = self.augment == "dag"
        return [
            Identity(),
            *(
                Transformed(
                    transform, weight=weight, share=self.dag_share, head=network.new_head() if own else None
                )
                for transform in transforms
            ),
        ]

    @property
    def sampled(self) -> int | None:
        """How many views beside the first are shown in a step; None for all."""
        return self.dag_heads_per_step if self.augment.startswith("dag") else None

    def check_augment(self) -> None:
        """Raise UserError at the first value that cannot be."""
        if not self.dag_weight > 0:
            raise UserError(f"`dag_weight`: {self.dag_weight}; expected a positive weight, such as 0.2")
        if not 0 < self.dag_share <= 1:
            raise UserError(f"`dag_share`: {self.dag_share}; expected a share of the batch in (0, 1]")
        if not self.dag_transforms:
            raise UserError("`dag_transforms`: none; expected at least one, such as rotation")
