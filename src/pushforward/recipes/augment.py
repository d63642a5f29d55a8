"""What a critic sees of few images: the options of augmentation, and the views that they make."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from torch import nn

from pushforward.errors import UserError
from pushforward.networks.critic import Critic
from pushforward.networks.layers import Shape
from pushforward.views import Identity, View
from pushforward.views.ada import ADA
from pushforward.views.apa import PseudoReal
from pushforward.views.classical import Classical
from pushforward.views.consistency import Consistency
from pushforward.views.diffaugment import DiffAugment
from pushforward.views.lecam import LeCam
from pushforward.views.transformed import Transformed
from pushforward.views.transforms import transforms_of

# What an option is of, by its beginning.
READ_BY: Mapping[str, tuple[str, ...]] = {
    "diffaugment_": ("diffaugment",),
    "ada_": ("ada", "apa"),
    "da_": ("da",),
    "dag_": ("dag", "dag-single"),
}
# With fewer training images, and nothing said, a run takes what `few-images` found best: it helped with 100
# images, and with 1,000 nothing did.
FEW = 500
FOR_FEW: Mapping[str, Any] = {"augment": "diffaugment"}
FEW_SIDE = 16  # pixels, at least
Adapts = Literal["by zero", "by pairs", "never"]
Kind = Literal["rotation", "flip", "fliprot", "translation", "crop"]


@dataclass(kw_only=True)
class AugmentOptions:
    """Options of every adversarial method for few images."""

    augment: Literal["none", "da", "diffaugment", "ada", "apa", "dag", "dag-single"] = "none"
    """What the critic sees of images instead of themselves. diffaugment: random changes of real and generated
    ones (Zhao et al. 2020); ada: as often as it needs them (Karras et al. 2020); apa: some generated ones as
    real (Jiang et al. 2021); dag: each transform by a head of its own (Tran et al. 2021), dag-single: all by
    one head; da: real images alone, which the generator learns, as a warning."""
    diffaugment_policy: tuple[Literal["color", "translation", "cutout"], ...] = (
        "color",
        "translation",
        "cutout",
    )
    """What diffaugment changes."""
    ada_target: float = 0.6
    """Mean sign of the critic's scores of real images that ada and apa hold."""
    ada_images: int = 500_000
    """Images in which the probability of ada and apa can go from 0 to 1."""
    ada_p: float | None = None
    """A fixed probability of ada and apa; found by default."""
    da_transforms: tuple[Kind, ...] = ("rotation",)
    """Transforms of da, each as often as none."""
    dag_transforms: tuple[Kind, ...] = ("rotation",)
    """Transforms of dag, beside the image itself."""
    dag_weight: float = 0.2
    """λ of dag: the weight of the mean over transforms of their losses, for critic and generator alike."""
    dag_heads_per_step: int | None = None
    """Transforms of dag that are shown in a step, drawn anew for each; all by default."""
    dag_share: float = 1.0
    """Share of the batch that a transform of dag is shown."""

    lecam: float = 0.0
    """λ of LeCam regularization (Tseng et al. 2021), which holds scores near moving averages; 0 for none."""
    lecam_after: int = 100
    """Steps of the critic before lecam begins; of a head that is drawn, those that it is shown in."""
    consistency: Literal["none", "cr", "bcr"] = "none"
    """Hold the critic to score images and moved copies alike: cr real ones (Zhang et al. 2020), bcr generated
    ones too (Zhao et al. 2021)."""
    consistency_weight: float = 10.0
    """λ of consistency."""

    def regularizers(self, views: int, shape: Shape) -> list[nn.Module]:
        """Penalties that the critic has beside the method's own. views: how many it has."""
        found: list[nn.Module] = []
        if self.lecam:
            found.append(LeCam(self.lecam, views=views, after=self.lecam_after))
        if self.consistency != "none":
            if len(shape) != 3:
                raise UserError(
                    f"`consistency`: {self.consistency} moves images, and `data` holds points; leave it out"
                )
            found.append(Consistency(self.consistency_weight, both=self.consistency == "bcr"))
        return found

    def augmented(self, network: Critic, shape: Shape) -> list[View]:
        """The views. network: the critic's, of which a view may ask `new_head()`."""
        if len(shape) != 3:
            raise UserError(f"`augment`: {self.augment} is of images, and `data` holds points; leave it out")
        match self.augment:
            case "diffaugment":
                return [DiffAugment(self.diffaugment_policy)]
            case "ada":
                return [ADA(**self._adaptive())]
            case "apa":
                return [PseudoReal(**self._adaptive())]
            case "da":
                return [Classical(transforms_of(self.da_transforms, shape, option="da_transforms"))]
            case _:
                return self._transformed(network, shape)

    def _adaptive(self) -> dict[str, Any]:
        """What ADA and APA share: the zero of the loss, and how fast p moves."""
        zero = getattr(getattr(type(self), "algorithm", None), "threshold", None)
        if self.adapts == "never" or (self.adapts == "by zero" and zero is None and self.ada_p is None):
            raise UserError(
                f"`augment`: {self.augment} reads from the critic's scores how sure it is of real images, "
                "and the scores of this loss have no zero; take diffaugment or dag, or a fixed `ada_p`"
            )
        zero = None if self.adapts == "by pairs" else zero
        return {"zero": zero, "target": self.ada_target, "length": self.ada_images, "fixed": self.ada_p}

    def _transformed(self, network: Critic, shape: Shape) -> list[View]:
        transforms = transforms_of(self.dag_transforms, shape, option="dag_transforms")
        drawn = self.dag_heads_per_step
        if drawn is not None and not 1 <= drawn <= len(transforms):
            raise UserError(
                f"`dag_heads_per_step`: {drawn}, of {len(transforms)} transforms; expected a number from "
                f"1 to {len(transforms)}, or leave it out for all"
            )
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

    adapts: ClassVar[Adapts] = "by zero"
    """How ada and apa tell that the critic knows a real image."""

    @property
    def sampled(self) -> int | None:
        """How many views beside the first are shown in a step; None for all."""
        return self.dag_heads_per_step if self.augment.startswith("dag") else None

    def check_augment(self) -> None:
        """Raise UserError at the first value that cannot be, or that nothing would read."""
        for prefix, methods in READ_BY.items():
            if self.augment not in methods:
                self._refuse_unread(prefix, f"`augment` is {self.augment}; set it to {' or '.join(methods)}")
        if not self.lecam:
            self._refuse_unread("lecam_", "`lecam` is 0; give it a weight, such as 0.3")
        if self.consistency == "none":
            self._refuse_unread("consistency_", "`consistency` is none; set it to cr or bcr")
        if not self.dag_weight > 0:
            raise UserError(f"`dag_weight`: {self.dag_weight}; expected a positive weight, such as 0.2")
        if not 0 < self.dag_share <= 1:
            raise UserError(f"`dag_share`: {self.dag_share}; expected a share of the batch in (0, 1]")
        if not self.dag_transforms:
            raise UserError("`dag_transforms`: none; expected at least one, such as rotation")

    def _refuse_unread(self, prefix: str, why: str) -> None:
        for field in dataclasses.fields(AugmentOptions):
            value = getattr(self, field.name)
            if field.name.startswith(prefix) and value != field.default:
                shown = " ".join(map(str, value)) if isinstance(value, tuple) else value
                raise UserError(f"`{field.name}`: {shown}, but {why}, or leave it out")
