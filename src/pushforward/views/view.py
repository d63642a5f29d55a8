"""The contract of a view, and the one that changes nothing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from pushforward.core import Clock
from pushforward.views.transforms import Transform


class Learner:
    """What learns from a critic's steps. What it remembers lives in buffers."""

    def observe(self, averages: Mapping[str, Tensor], images_seen: int) -> None:
        """Learn from the statistics of a critic's step, after the critic has moved.

        averages: `statistics`, averaged over processes. images_seen: real images that the run had drawn
        before this training step, over all processes and streams.
        """


class View(nn.Module, Learner, ABC):
    """A transform of real and generated data before a critic scores them.

    An adversarial loss is the sum over views of `weight_critic` or `weight_generator` times the loss of
    the view's scores. head: the part of the critic after its trunk that is this view's own, such as
    `Critic.new_head()`; None for the critic's own head.

    A view may learn from the critic's steps: what `statistics` returns is averaged over processes and given
    to `observe`.
    """

    at_once: int = 1
    """How many samples the critic sees at once."""

    def __init__(
        self, *, weight_critic: float = 1.0, weight_generator: float = 1.0, head: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.weight_critic = weight_critic
        self.weight_generator = weight_generator
        self.head = head

    @property
    def leaks_as(self) -> Sequence[Transform]:
        """Transforms by which samples would show that they learned the view instead of the data."""
        return ()

    @abstractmethod
    def forward(self, x: Tensor, clock: Clock) -> Tensor:
        """(b, *x) -> what the critic sees, differentiable in x. clock: where the run is, for what is
        annealed."""

    def show(self, real: Tensor | None, fake: Tensor, clock: Clock) -> tuple[Tensor | None, Tensor]:
        """What the critic sees of both sides; real is None where only fakes are shown.

        Each by itself, unless a view says otherwise, such as one that passes some fakes off as real.
        """
        return None if real is None else self(real, clock), self(fake, clock)

    def statistics(self, real: Tensor, fake: Tensor) -> Mapping[str, Tensor]:
        """What it has to know of a critic's step: means over the batch, floating, of any shape.

        real, fake: the scores of this view, detached. A mean over the batch becomes the mean over all
        processes' batches.
        """
        return {}

    def report(self) -> Mapping[str, Tensor]:
        """What to log of its state at a critic's step, scalars that change no more."""
        return {}

    def check_batch(self, n: int) -> None:
        """Raise UserError where batches of n cannot be shown."""


class Identity(View):
    """The data as they are."""

    def forward(self, x: Tensor, clock: Clock) -> Tensor:
        """x itself."""
        return x
