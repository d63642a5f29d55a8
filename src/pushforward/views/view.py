"""The contract of a view, and the one that changes nothing."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from pushforward.core import Clock


class View(nn.Module, ABC):
    """A transform of real and generated data before a critic scores them.

    An adversarial loss is the sum over views of `weight_critic` or `weight_generator` times the loss of
    the view's scores. head: the part of the critic after its trunk that is this view's own; None for the
    critic's own head.
    """

    def __init__(
        self, *, weight_critic: float = 1.0, weight_generator: float = 1.0, head: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.weight_critic = weight_critic
        self.weight_generator = weight_generator
        self.head = head

    @abstractmethod
    def forward(self, x: Tensor, clock: Clock) -> Tensor:
        """(b, *x) -> what the critic sees. clock: where the run is, for what is annealed."""

    def check_batch(self, n: int) -> None:
        """Raise UserError where batches of n cannot be shown."""


class Identity(View):
    """The data as they are."""

    def forward(self, x: Tensor, clock: Clock) -> Tensor:
        """x itself."""
        return x
