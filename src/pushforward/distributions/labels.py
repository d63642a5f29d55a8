"""The classes that a conditional model is told: how often each occurs, and how one stands beside a code."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import one_hot

from pushforward.errors import UserError


class Labels(nn.Module):
    """k classes with their shares of the training data.

    A code with its class is (z, one-hot y), as in M. Mirza and S. Osindero, *Conditional Generative
    Adversarial Nets*, 2014: the first layer of a network that takes it adds an embedding of the class.
    """

    shares: Float[Tensor, " k"]

    def __init__(self, shares: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("shares", torch.tensor(shares, dtype=torch.float32))

    def __len__(self) -> int:
        return len(self.shares)

    def draw(self, n: int) -> Int[Tensor, " n"]:
        """n classes, as often as in the training data."""
        return torch.multinomial(self.shares, n, replacement=True)

    def beside(self, z: Float[Tensor, "n d"], label: Int[Tensor, " n"]) -> Float[Tensor, "n e"]:
        """Each code with its class."""
        return torch.cat([z, one_hot(label, len(self)).to(z)], 1)

    def split(self, z: Float[Tensor, "n e"]) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n k"]]:
        """(codes, one-hot classes)."""
        return z[:, : -len(self)], z[:, -len(self) :]

    def of(self, label: Tensor | None) -> Int[Tensor, " n"]:
        """The labels of a batch. Raises UserError where it has none."""
        if label is None:
            raise UserError("`conditional`: the data have no labels; give images in sub-folders, or labels")
        return label
