"""Consistency: a critic scores an image and a moved copy of it alike.

H. Zhang, Z. Zhang, A. Odena and H. Lee, *Consistency Regularization for Generative Adversarial Networks*,
ICLR 2020, eq. 3 (CR): λ E[(D(x) - D(T(x)))²] on real images, T a random mirror and a shift by a few pixels.
Z. Zhao, S. Singh, H. Lee, Z. Zhang, A. Odena and H. Zhang, *Improved Consistency Regularization for GANs*,
AAAI 2021, section 3.1 (bCR): the same on generated images too.

Deviations from the papers:
1. T changes what the critic saw, so that it is beside any augmentation.
2. T shifts by up to an eighth of a side, 4 pixels of 32 as in CR's paper.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from pushforward.errors import UserError
from pushforward.views.critic import Look, weighed
from pushforward.views.diffaugment import translation
from pushforward.views.penalties import Penalty


class Consistency(nn.Module, Penalty):
    """weight: λ. both: on generated images too (bCR)."""

    def __init__(self, weight: float, *, both: bool = False) -> None:
        super().__init__()
        if not weight > 0:
            raise UserError(f"`consistency_weight`: {weight}; expected a positive weight, such as 10")
        self.weight, self.both = weight, both

    def __call__(self, looks: Sequence[Look]) -> Mapping[str, Tensor]:
        """{"consistency"}, and {"consistency_fake"} for bCR. Moved copies of all views are scored in one
        pass."""
        sides = 2 if self.both else 1
        views = [look.view for look in looks for _ in range(sides)]
        moved = [changed(x.detach()) for look in looks for x in look.seen()[:sides]]
        codes = [z[: len(x)] for look in looks for z, x in zip(look.codes or (), look.seen(), strict=False)]
        beside = [codes if self.both else codes[::2]] if codes else []
        again = looks[0].source.score(views, moved, *beside)
        scores = [s for look in looks for s in look.pair()[:sides]]
        gaps = [(a - b).square().mean() for a, b in zip(scores, again, strict=True)]
        told = {"consistency": weighed(looks, gaps[::sides])}
        return told | ({"consistency_fake": weighed(looks, gaps[1::2])} if self.both else {})


def changed(x: Tensor) -> Tensor:
    """Each image mirrored or not, and shifted, by its own draw."""
    mirrored = torch.rand(len(x), 1, 1, 1, device=x.device) < 0.5
    return translation(torch.where(mirrored, x.flip(3), x))
