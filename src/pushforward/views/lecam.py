"""LeCam regularization: scores are held near moving averages of the scores of the other side.

H.-Y. Tseng, L. Jiang, C. Liu, M.-H. Yang and W. Yang, *Regularizing Generative Adversarial Networks under
Limited Data*, CVPR 2021, eq. 4: R = E[(D(x) - a_F)²] + E[(D(G(z)) - a_R)²], with a_R and a_F the moving
averages of the scores of real and of generated images.

Deviations from the paper:
1. The squares are those of eq. 4; the authors' code puts a ReLU around each difference.
2. Each view has averages of its own, and its share of the loss, since the scores of heads differ.
3. The averages of a view begin with the first batch that it is shown, and its term once it was shown more
   than `after` times: heads that are drawn begin later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from pushforward.errors import UserError
from pushforward.views.critic import Look, weighed
from pushforward.views.penalties import Penalty

DECAY = 0.99


class LeCam(nn.Module, Penalty):
    """weight: λ. views: of the critic. after: times that a view is shown without its term, and one more."""

    averages: Tensor
    heard: Tensor

    def __init__(self, weight: float, *, views: int, after: int = 0, decay: float = DECAY) -> None:
        super().__init__()
        if not weight > 0:
            raise UserError(f"`lecam`: {weight}; expected a positive weight, such as 0.3, or 0 for none")
        if after < 0:
            raise UserError(f"`lecam_after`: {after}; expected a number of steps")
        self.weight, self.after, self.decay = weight, after, decay
        self.register_buffer("averages", torch.zeros(views, 2))  # of real and of generated images
        self.register_buffer("heard", torch.zeros(views))  # steps that each view was shown

    def __call__(self, looks: Sequence[Look]) -> Mapping[str, Tensor]:
        """{"lecam"}: 0 before it begins."""
        values = []
        for look in looks:
            place = self._place(look)
            of_real, of_fake = self.averages[place]
            real, fake = look.pair()
            term = (real - of_fake).square().mean() + (fake - of_real).square().mean()
            values.append(torch.where(self.heard[place] > self.after, term, 0.0))
        return {"lecam": weighed(looks, values)}

    def statistics(self, looks: Sequence[Look]) -> Mapping[str, Tensor]:
        """The mean scores of both sides, by the number of the view."""
        means = (torch.stack([side.detach().mean() for side in look.pair()]) for look in looks)
        return {str(self._place(look)): mean for look, mean in zip(looks, means, strict=True)}

    def observe(self, averages: Mapping[str, Tensor], images_seen: int) -> None:
        """Move the averages of the views that were shown; the first batch of each is its start."""
        for view, mean in averages.items():
            place = int(view)
            row, known = self.averages[place], self.heard[place] > 0
            row.copy_(torch.where(known, self.decay * row + (1 - self.decay) * mean, mean))
            self.heard[place] += 1

    def _place(self, look: Look) -> int:
        return next(i for i, view in enumerate(look.source.views) if view is look.view)
