"""Packing.

Z. Lin, A. Khetan, G. Fanti and S. Oh, *PacGAN: The Power of Two Samples in Generative Adversarial Networks*,
NeurIPS 2018, section 3: a critic that sees m samples at once sees that they are too much alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from pushforward.core import Clock
from pushforward.errors import UserError
from pushforward.views.transforms import Transform
from pushforward.views.view import View


class Packing(View):
    """m neighbours of a batch, joined along the channels (of images) or coordinates (of points).

    It wraps another view, since what each sample looks like comes before how many are seen. Weights and
    head are that view's, and it is the one that learns, from the scores of packs.
    """

    def __init__(self, view: View, m: int) -> None:
        super().__init__(
            weight_critic=view.weight_critic, weight_generator=view.weight_generator, head=view.head
        )
        if m < 2:
            raise UserError(f"`pack`: {m}; expected at least 2 samples, or leave it out for none")
        self.view, self.m = view, m
        self.at_once = m * view.at_once

    def forward(self, x: Tensor, clock: Clock) -> Tensor:
        """(b, c, *s) -> (b / m, m c, *s). Raises UserError where m does not divide b."""
        return self.packed(self.view(x, clock))

    def packed(self, x: Tensor) -> Tensor:
        """m neighbours each. Raises UserError where m does not divide b."""
        self.check_batch(len(x))
        return x.reshape(len(x) // self.m, self.m * x.shape[1], *x.shape[2:])

    @property
    def leaks_as(self) -> Sequence[Transform]:
        """The wrapped view's."""
        return self.view.leaks_as

    def statistics(self, real: Tensor, fake: Tensor) -> Mapping[str, Tensor]:
        """The wrapped view's."""
        return self.view.statistics(real, fake)

    def observe(self, averages: Mapping[str, Tensor], images_seen: int) -> None:
        """The wrapped view's."""
        self.view.observe(averages, images_seen)

    def report(self) -> Mapping[str, Tensor]:
        """The wrapped view's."""
        return self.view.report()

    def show(self, real: Tensor | None, fake: Tensor, clock: Clock) -> tuple[Tensor | None, Tensor]:
        """Packs of what the wrapped view shows."""
        shown = self.view.show(real, fake, clock)
        return None if shown[0] is None else self.packed(shown[0]), self.packed(shown[1])

    def check_batch(self, n: int) -> None:
        """Raise UserError where m does not divide n."""
        if n % self.m:
            raise UserError(
                f"`pack`: {self.m} does not divide {n}, the batch of a process; take a multiple of {self.m} "
                "for each as `batch_size`"
            )
        self.view.check_batch(n)
