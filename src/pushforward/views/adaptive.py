"""How much of an augmentation a critic needs, found while it trains.

T. Karras, M. Aittala, J. Hellsten, S. Laine, J. Lehtinen and T. Aila, *Training Generative Adversarial
Networks with Limited Data*, NeurIPS 2020, section 3: r_t = E sign D(x) is 0 where a critic is unsure of
training images, and 1 where it knows them all. Every four steps p moves up where r_t is above its target,
and down where it is below.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping

import torch
from torch import Tensor

from pushforward.errors import UserError
from pushforward.views.view import View

EVERY = 4  # critic's steps
TARGET, LENGTH = 0.6, 500_000


class Adaptive(View, ABC):
    """A view with a probability p in [0, 1], in its buffers.

    zero: the score above which the critic takes an image for real, by its loss; None for a loss of pairs,
    where a real image counts as known that is scored above the generated one beside it. target: of r_t.
    length: images in which p can go from 0 to 1. fixed: p, where it does not adapt.
    """

    p: Tensor
    heard: Tensor
    total: Tensor
    images: Tensor
    r: Tensor

    def __init__(
        self,
        *,
        zero: float | None,
        target: float = TARGET,
        length: int = LENGTH,
        fixed: float | None = None,
    ) -> None:
        super().__init__()
        if not -1 < target < 1:
            raise UserError(f"`ada_target`: {target}; expected a mean sign in (-1, 1), such as {TARGET}")
        if length < 1:
            raise UserError(f"`ada_images`: {length}; expected at least 1")
        if fixed is not None and not 0 <= fixed <= 1:
            raise UserError(f"`ada_p`: {fixed}; expected a probability in [0, 1]")
        self.zero, self.target, self.length, self.fixed = zero, target, length, fixed
        for name, value in (("p", fixed or 0.0), ("heard", 0.0), ("total", 0.0), ("images", 0.0), ("r", 0.0)):
            self.register_buffer(name, torch.tensor(value, dtype=torch.float64 if name == "images" else None))

    def statistics(self, real: Tensor, fake: Tensor) -> Mapping[str, Tensor]:
        """r_t of one step."""
        known = real - fake if self.zero is None else real - self.zero
        return {"sign": known.sign().mean()}

    def observe(self, averages: Mapping[str, Tensor], images_seen: int) -> None:
        """Move p after every fourth step, by the images since the last move; without waiting for a GPU."""
        self.total += averages["sign"].to(self.total)
        self.heard += 1
        due = self.heard >= EVERY
        r = self.total / self.heard
        if self.fixed is None:
            way = torch.sign(r - self.target) * ((images_seen - self.images) / self.length).to(self.p)
            self.p.copy_(torch.where(due, (self.p + way).clamp(0, 1), self.p))
        self.r.copy_(torch.where(due, r, self.r))
        self.images.copy_(torch.where(due, torch.full_like(self.images, images_seen), self.images))
        self.total *= ~due
        self.heard *= ~due

    def report(self) -> Mapping[str, Tensor]:
        """p, and r_t of the last four steps that were looked at."""
        return {"augment_p": self.p.clone(), "augment_r": self.r.clone()}

    def drawn(self, x: Tensor, p: Tensor | None = None) -> Tensor:
        """(b,) which rows of x are meant, each with probability p."""
        return torch.rand(len(x), device=x.device) < (self.p if p is None else p)
