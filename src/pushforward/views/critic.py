"""A critic with its views: every adversarial method scores through it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, cast

import torch
from torch import Tensor, nn

from pushforward.core import Clock
from pushforward.distributions.standard import Standard
from pushforward.errors import UserError
from pushforward.networks.critic import Critic
from pushforward.networks.layers import has_batch_norm
from pushforward.views.view import Identity, View

Codes = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Look:
    """One view of real and generated data, scored.

    real, fake: what the critic saw; real is None, and so are its scores, where only fakes were shown.
    codes: those of real and of fake, for a critic of pairs. source: the critic that looked; clock: when.
    scale: of the view's weights, where it stands for others that were not shown this time.
    """

    view: View
    real: Tensor | None
    fake: Tensor
    real_scores: Tensor | None
    fake_scores: Tensor
    codes: Codes | None
    source: ViewedCritic
    clock: Clock
    scale: float = 1.0

    @property
    def weight_critic(self) -> float:
        """Of this look's loss in the critic's."""
        return self.scale * self.view.weight_critic

    @property
    def weight_generator(self) -> float:
        """Of this look's loss in the generator's."""
        return self.scale * self.view.weight_generator

    def pair(self) -> tuple[Tensor, Tensor]:
        """Scores of real and fake."""
        assert self.real_scores is not None
        return self.real_scores, self.fake_scores

    def seen(self) -> tuple[Tensor, Tensor]:
        """Real and fake as the critic saw them."""
        assert self.real is not None
        return self.real, self.fake

    def critic(self, x: Tensor, z: Tensor | None = None) -> Tensor:
        """Scores of anything of the kind of `real`, by this view's head. z: its codes, for pairs."""
        return self.source.score([self.view], [x], *([] if z is None else [[z]]))[0]


class ViewedCritic(nn.Module):
    """A critic network and the views that it is given.

    network: (b, *x) -> (b, 1) logits, or (b, *x), (b, d) -> (b, 1) for pairs with codes; a projected one has
    several for each row. Where a view has a head of its own, the network offers `trunk` and `head`.
    Everything is scored in one pass, except by BatchNorm, whose statistics must not mix real and fake.
    standard: of points in units of their own; views, penalties and the network see standardised points.
    penalties: modules that are `Penalty`s too; every critic's step adds them to the method's own. sampled:
    how many of the views after the first are shown in a training step, each as often as the others and
    weighed for all of them; None for all.
    """

    def __init__(
        self,
        network: nn.Module,
        views: Sequence[View] = (),
        *,
        standard: Standard | None = None,
        penalties: Sequence[nn.Module] = (),
        sampled: int | None = None,
    ) -> None:
        super().__init__()
        self.standard = standard
        self.network: Any = network  # one with a trunk and a head where views have their own
        self.views = nn.ModuleList(views or [Identity()])
        self.penalties = nn.ModuleList(penalties)
        if sampled is not None and not 1 <= sampled < len(self.views):
            raise UserError(
                f"`sampled`: {sampled} of {len(self.views) - 1} views beside the first; expected at least 1 "
                "and no more than there are"
            )
        self.sampled = sampled
        self.has_batch_norm = has_batch_norm(self)

    @property
    def first(self) -> View:
        """The view that stands for all where one look is enough."""
        return self._views()[0]

    @property
    def at_once(self) -> int:
        """How many samples the critic sees at once, by the view that shows most."""
        return max(view.at_once for view in self._views())

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
        views, scale = self._shown(clock)
        real = None if real is None else self.standardised(real)
        fake = self.standardised(fake)
        shown = [view.show(real, fake, clock) for view in views]
        seen = [[_leaf(x, differentiable) for x in pair if x is not None] for pair in shown]
        sides = len(seen[0])
        columns = [[x for parts in seen for x in parts]]
        if codes is not None:
            rows = list(codes[-sides:]) * len(views)
            columns.append([z[: len(x)] for z, x in zip(rows, columns[0], strict=True)])
        scores = self.score([view for view in views for _ in range(sides)], *columns)
        looks = []
        for i, (view, parts) in enumerate(zip(views, seen, strict=True)):
            # A mean of scores in bfloat16 would have three digits, and a distance is the difference of two.
            wide = [s.to(torch.promote_types(s.dtype, torch.float32)) for s in scores[i * sides :][:sides]]
            of_real = (parts[0], wide[0]) if sides == 2 else (None, None)
            own = 1.0 if i == 0 else scale
            looks.append(Look(view, of_real[0], parts[-1], of_real[1], wide[-1], codes, self, clock, own))
        return looks

    def score_real(self, real: Tensor, clock: Clock, *, codes: Tensor | None = None) -> list[Tensor]:
        """Scores of real data by each view, for a generator's step that compares with them; in float32."""
        views, _ = self._shown(clock)
        real = self.standardised(real)
        seen = [x for x, _ in (view.show(real, real, clock) for view in views) if x is not None]
        beside = [] if codes is None else [[codes[: len(x)] for x in seen]]
        scores = self.score(views, seen, *beside)
        return [s.to(torch.promote_types(s.dtype, torch.float32)) for s in scores]

    def _shown(self, clock: Clock) -> tuple[list[View], float]:
        """The views of this training step, and the factor of the weights of those that were drawn.

        They follow from the step alone: all that looks in it sees by the same views, in each process.
        """
        first, *others = self._views()
        if self.sampled is None or self.sampled == len(others):
            return [first, *others], 1.0
        drawn = sorted(random.Random(clock.step).sample(range(len(others)), self.sampled))
        return [first, *(others[i] for i in drawn)], len(others) / self.sampled

    def standardised(self, x: Tensor) -> Tensor:
        """Points in the data's units as the network takes them; images as they are."""
        return x if self.standard is None else self.standard(x)

    def in_units(self, x: Tensor) -> Tensor:
        """The inverse, of what a generator's network made."""
        return x if self.standard is None else self.standard.undo(x)

    def score(self, views: Sequence[View], *columns: Sequence[Tensor]) -> list[Tensor]:
        """Of each row of the columns, what was seen and for pairs its codes, by the head of its view.

        In one pass of the whole network, or of the trunk where heads differ; no view is applied, and points
        are standardised already.
        """
        if all(view.head is None for view in views):
            return self._each(self.network, *columns)
        x, *codes = columns
        features = self._each(self.network.trunk, x)
        if codes:
            features = [torch.cat(row, 1) for row in zip(features, *codes, strict=True)]
        heads = [self.network.head if view.head is None else view.head for view in views]
        scores: list[Tensor] = []
        for _, rows in groupby(zip(heads, features, strict=True), key=lambda row: id(row[0])):
            alike = list(rows)
            scores += self._each(alike[0][0], [f for _, f in alike])
        return scores

    def check_batch(self, n: int) -> None:
        """Raise UserError where a view cannot show batches of n, or frozen weights are absent."""
        if isinstance(self.network, Critic):
            self.network.prepare()
        for view in self._views():
            view.check_batch(n)

    def _views(self) -> list[View]:
        return cast("list[View]", list(self.views))

    def _each(self, f: Callable[..., Tensor], *columns: Sequence[Tensor]) -> list[Tensor]:
        """f of each row of the columns, in one call where its results do not depend on each other."""
        if len(columns[0]) == 1 or self.has_batch_norm:
            return [f(*row) for row in zip(*columns, strict=True)]
        return list(f(*(torch.cat(list(c)) for c in columns)).split([len(x) for x in columns[0]]))


def score_all(looks: Sequence[Look], x: Sequence[Tensor], codes: Codes | None = None) -> list[Tensor]:
    """Scores of an x for each look, of the kind of what it saw, in one pass where the critic allows.

    codes: of a critic of pairs; the first goes with each x.
    """
    beside = [] if codes is None else [[codes[0][: len(some)] for some in x]]
    return looks[0].source.score([look.view for look in looks], x, *beside)


def weighed(looks: Iterable[Look], values: Iterable[Tensor]) -> Tensor:
    """Σ over looks of weight_critic · value."""
    return weighted_sum([look.weight_critic for look in looks], values)


def weighted_sum(weights: Iterable[float], values: Iterable[Tensor]) -> Tensor:
    """Σ weight · value, of at least one."""
    total, *rest = (v if w == 1 else w * v for w, v in zip(weights, values, strict=True))
    for term in rest:
        total = total + term
    return total


def _leaf(x: Tensor, wanted: bool) -> Tensor:
    return x.detach().requires_grad_() if wanted else x
