"""A critic with its views: every adversarial method scores through it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from pushforward.core import Clock
from pushforward.networks.layers import has_batch_norm
from pushforward.views.view import Identity, View

Codes = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Look:
    """One view of real and generated data, scored.

    real, fake: what the critic saw; real is None, and so are its scores, where only fakes were shown.
    critic: scores anything of the kind of `real`, by this view's head.
    """

    view: View
    real: Tensor | None
    fake: Tensor
    real_scores: Tensor | None
    fake_scores: Tensor
    critic: Callable[[Tensor], Tensor]

    def pair(self) -> tuple[Tensor, Tensor]:
        """Scores of real and fake."""
        assert self.real_scores is not None
        return self.real_scores, self.fake_scores

    def seen(self) -> tuple[Tensor, Tensor]:
        """Real and fake as the critic saw them."""
        assert self.real is not None
        return self.real, self.fake


class ViewedCritic(nn.Module):
    """A critic network and the views that it is given.

    network: (b, *x) -> (b, 1) logits, or (b, *x), (b, d) -> (b, 1) for pairs with codes. Where a view has a
    head of its own, the network offers `trunk` and `head`. Everything is scored in one pass, except by
    BatchNorm, whose statistics must not mix real and fake.
    """

    def __init__(self, network: nn.Module, views: Sequence[View] = ()) -> None:
        super().__init__()
        self.network: Any = network  # one with a trunk and a head where views have their own
        self.views = nn.ModuleList(views or [Identity()])
        self.has_batch_norm = has_batch_norm(network)

    def forward(
        self,
        real: Tensor | None,
        fake: Tensor,
        clock: Clock,
        *,
        codes: Codes | None = None,
        differentiable: bool = False,
    ) -> list[Look]:
        """A look by each view.

        codes: those that go with real and with fake, for a network of pairs. differentiable: make what the
        critic sees require a gradient, for penalties.
        """
        views = [self._view(i) for i in range(len(self.views))]
        seen = [
            [_leaf(view(x, clock), differentiable) for x in (real, fake) if x is not None] for view in views
        ]
        sides = len(seen[0])
        columns = [[x for parts in seen for x in parts]]
        if codes is not None:
            columns.append(list(codes[-sides:]) * len(views))
        scores = self._scores([view.head for view in views for _ in range(sides)], *columns)
        return [
            self._look(view, parts, scores[i * sides : (i + 1) * sides])
            for i, (view, parts) in enumerate(zip(views, seen, strict=True))
        ]

    def check_batch(self, n: int) -> None:
        """Raise UserError where a view cannot show batches of n."""
        for i in range(len(self.views)):
            self._view(i).check_batch(n)

    def _view(self, i: int) -> View:
        view = self.views[i]
        assert isinstance(view, View)
        return view

    def _scores(self, heads: list[nn.Module | None], *columns: list[Tensor]) -> list[Tensor]:
        """Of each row, by its head: one pass of the whole network, or of the trunk where heads differ."""
        if all(head is None for head in heads):
            return self._each(self.network, *columns)
        x, *codes = columns
        features = self._each(self.network.trunk, x)
        if codes:
            features = [torch.cat(row, 1) for row in zip(features, *codes, strict=True)]
        chosen = [self.network.head if head is None else head for head in heads]
        return [head(f) for head, f in zip(chosen, features, strict=True)]

    def _each(self, f: Callable[..., Tensor], *columns: Sequence[Tensor]) -> list[Tensor]:
        """f of each row of the columns, in one call where its results do not depend on each other."""
        if len(columns[0]) == 1 or self.has_batch_norm:
            return [f(*row) for row in zip(*columns, strict=True)]
        return list(f(*(torch.cat(list(c)) for c in columns)).split([len(x) for x in columns[0]]))

    def _scorer(self, view: View) -> Callable[..., Tensor]:
        return self.network if view.head is None else partial(self._by_head, view.head)

    def _by_head(self, head: nn.Module, x: Tensor) -> Tensor:
        return head(self.network.trunk(x))

    def _look(self, view: View, seen: list[Tensor], scores: list[Tensor]) -> Look:
        # A mean of scores in bfloat16 would have three digits, and a distance is the difference of two.
        scores = [s.to(torch.promote_types(s.dtype, torch.float32)) for s in scores]
        real, real_scores = (seen[0], scores[0]) if len(seen) == 2 else (None, None)
        return Look(view, real, seen[-1], real_scores, scores[-1], self._scorer(view))


def _leaf(x: Tensor, wanted: bool) -> Tensor:
    return x.detach().requires_grad_() if wanted else x
