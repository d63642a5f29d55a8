"""APA: some generated images are passed off as real, so that a critic cannot learn the real ones by heart.

L. Jiang, B. Dai, W. Wu and C. C. Loy, *Deceive D: Adaptive Pseudo Augmentation for GAN Training with Limited
Data*, NeurIPS 2021, section 3.2.

Deviations from the paper:
1. r_t is of what was shown as real, pseudo-real images included, as in the authors' code.
2. The pseudo-real images are those of the same step.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pushforward.core import Clock
from pushforward.views.adaptive import Adaptive


class PseudoReal(Adaptive):
    """Each real image gives way to the generated one beside it with probability p."""

    def forward(self, x: Tensor, clock: Clock) -> Tensor:
        """x itself: nothing is transformed."""
        return x

    def show(self, real: Tensor | None, fake: Tensor, clock: Clock) -> tuple[Tensor | None, Tensor]:
        """The real side with pseudo-real images; no gradient reaches the generator through it."""
        if real is None:
            return None, fake
        chosen = self.drawn(real).view(-1, *[1] * (real.ndim - 1))
        return torch.where(chosen, fake.detach(), real), fake
