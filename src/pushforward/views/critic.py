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
        self._plain = len(self.views) == 1 and self._view(0).head is None

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
        if self._plain:
            return [self._look(self._view(0), real, fake, clock, codes, differentiable)]
        return self._looks(real, fake, clock, codes, differentiable)

    def _view(self, i: int) -> View:
        view = self.views[i]
        assert isinstance(view, View)
        return view

    def _look(
        self, view: View, real: Tensor | None, fake: Tensor, clock: Clock, codes: Codes | None, leaf: bool
    ) -> Look:
        seen = [_leaf(view(x, clock), leaf) for x in (real, fake) if x is not None]
        extra = [] if codes is None else [codes[-len(seen) :]]
        return self._joined(view, seen, self._each(self._scorer(view), seen, *extra))

    def _looks(
        self, real: Tensor | None, fake: Tensor, clock: Clock, codes: Codes | None, leaf: bool
    ) -> list[Look]:
        """Several views, or a view with a head of its own: one pass of the trunk for all, then the heads."""
        views = [self._view(i) for i in range(len(self.views))]
        seen = [[_leaf(v(x, clock), leaf) for x in (real, fake) if x is not None] for v in views]
        features = self._each(self.network.trunk, [x for parts in seen for x in parts])
        sides = len(seen[0])
        if codes is not None:
            own = codes[-sides:]
            features = [torch.cat([f, own[i % sides]], 1) for i, f in enumerate(features)]
        looks = []
        for i, view in enumerate(views):
            head = view.head or self.network.head
            scores = [head(f) for f in features[i * sides : (i + 1) * sides]]
            looks.append(self._joined(view, seen[i], scores))
        return looks

    def _each(self, f: Callable[..., Tensor], *columns: Sequence[Tensor]) -> list[Tensor]:
        """f of each row of the columns, in one call where its results do not depend on each other."""
        if len(columns[0]) == 1 or self.has_batch_norm:
            return [f(*row) for row in zip(*columns, strict=True)]
        return list(f(*(torch.cat(list(c)) for c in columns)).split([len(x) for x in columns[0]]))

    def _scorer(self, view: View) -> Callable[..., Tensor]:
        return self.network if view.head is None else partial(self._by_head, view.head)

    def _by_head(self, head: nn.Module, x: Tensor) -> Tensor:
        return head(self.network.trunk(x))

    def _joined(self, view: View, seen: list[Tensor], scores: list[Tensor]) -> Look:
        real, real_scores = (seen[0], scores[0]) if len(seen) == 2 else (None, None)
        return Look(view, real, seen[-1], real_scores, scores[-1], self._scorer(view))


def _leaf(x: Tensor, wanted: bool) -> Tensor:
    return x.detach().requires_grad_() if wanted else x
