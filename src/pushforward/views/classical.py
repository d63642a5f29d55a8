"""Classical augmentation: only real images are transformed, so the generator learns transformed ones.

It is here as the warning example of N.-T. Tran et al., *On Data Augmentation for GAN Training*, 2021,
section III: the critic compares generated images with P^T, the mixture of transforms of the data, and the
optimum moves there.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pushforward.core import Clock
from pushforward.views.transforms import Transform
from pushforward.views.view import View


class Classical(View):
    """Each real image by one of the transforms, or as it is, all equally often."""

    def __init__(self, transforms: Sequence[Transform]) -> None:
        super().__init__()
        self.transforms = tuple(transforms)

    def forward(self, x: Tensor, clock: Clock) -> Tensor:
        """Of generated images: as they are."""
        return x

    def show(self, real: Tensor | None, fake: Tensor, clock: Clock) -> tuple[Tensor | None, Tensor]:
        """Real images transformed, each by its own draw."""
        if real is None:
            return None, fake
        versions = torch.stack([real, *(transform(real) for transform in self.transforms)])
        which = torch.randint(len(versions), (len(real),), device=real.device)
        return versions[which, torch.arange(len(real), device=real.device)], fake

    @property
    def leaks_as(self) -> Sequence[Transform]:
        """The transforms."""
        return self.transforms
