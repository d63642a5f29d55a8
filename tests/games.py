"""Toy methods that the diagnosis has not seen: two games on two streams, and a GAN with its own recipe."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from pushforward import methods
from pushforward.abilities import Game, SlopePenalty
from pushforward.algorithms.adversarial import critic_step, distance, generator_terms
from pushforward.algorithms.gan import GAN, GANHyperparameters
from pushforward.core import Algorithm, Draw, Player, Steps, Update
from pushforward.networks.gan_mlp import mlp_critic, mlp_generator
from pushforward.networks.layers import Shape
from pushforward.objectives.adversarial import (
    minimax_critic,
    nonsaturating_generator,
    wasserstein_critic,
    wasserstein_generator,
)
from pushforward.views import GradientPenalty, Packing, ViewedCritic
from pushforward.views.view import Identity

LATENT, PENALTY = 3, 2.0


class TwoGames(Algorithm):
    """Noise to a, by a GAN whose critic sees two at once; and a to b, by a WGAN-GP."""

    def __init__(self, a: Shape, b: Shape) -> None:
        super().__init__()
        self.make_a = mlp_generator(LATENT, (16,), a)
        self.make_b = nn.Sequential(nn.Flatten(), mlp_generator(math.prod(a), (16,), b, slope=0.2))
        self.judge_a = ViewedCritic(mlp_critic((2 * a[0], *a[1:]), (16,)), [Packing(Identity(), 2)])
        self.judge_b = ViewedCritic(mlp_critic(b, (16,)))

    def players(self) -> dict[str, Player]:
        return {name: Player(module=module) for name, module in self.named_children()}

    def step(self, draw: Draw) -> Steps:
        a, b = draw("a").x, draw("b").x
        with torch.no_grad():
            fake_a, fake_b = self.make_a(self.noise(len(a))), self.make_b(a)
        looks_a, looks_b = self.judge_a(a, fake_a, self.clock), self.judge_b(b, fake_b, self.clock)
        yield from critic_step(looks_a, minimax_critic, player="judge_a", prefix="a/")
        penalties, names = [GradientPenalty(PENALTY)], {"player": "judge_b", "prefix": "b/"}
        yield from critic_step(looks_b, wasserstein_critic, penalties=penalties, info=distance, **names)
        fool_a = self.judge_a(None, self.make_a(self.noise(len(a))), self.clock)
        fool_b = self.judge_b(None, self.make_b(a), self.clock)
        yield Update(
            {
                "make_a": generator_terms(fool_a, nonsaturating_generator),
                "make_b": generator_terms(fool_b, wasserstein_generator),
            }
        )

    def noise(self, n: int) -> Tensor:
        return torch.randn(n, LATENT, device=next(self.parameters()).device)

    def sample(self, n: int) -> Tensor:
        with torch.no_grad():
            return self.make_a(self.noise(n))

    def games(self) -> dict[str, Game]:
        return {
            "a": Game(
                generator=self.make_a,
                critic=self.judge_a,
                inputs=lambda draw, n: self.noise(n),
                generate=self.make_a,
                player="make_a",
                stream="a",
                threshold=0.0,
                sigmoid=True,
            ),
            "b": Game(
                generator=self.make_b,
                critic=self.judge_b,
                inputs=lambda draw, n: draw("a", n).x,
                generate=self.make_b,
                player="make_b",
                stream="b",
                slope=SlopePenalty(weight=PENALTY),
            ),
        }


@dataclass(kw_only=True)
class TwoGamesRecipe:
    """Options of the toy of two games."""

    streams: ClassVar[tuple[str, ...]] = ("a", "b")
    noise: float = 0.0
    """Of no use: an option that other recipes have, too."""

    def build(self, *, a: Shape, b: Shape) -> TwoGames:
        """Of data of these shapes."""
        return TwoGames(a, b)


@dataclass(kw_only=True)
class OwnRecipe(GANHyperparameters):
    """Options of a GAN that shares no recipe with the others, though a name: its networks are its own."""

    network: int = 16
    """Hidden units."""

    def build(self, shape: Shape) -> GAN:
        """Of data of this shape."""
        critic = ViewedCritic(mlp_critic(shape, (self.network,)))
        return GAN(
            generator=mlp_generator(self.latent_dim, (self.network,), shape), critic=critic, hyper=self
        )


@contextmanager
def registered() -> Iterator[None]:
    """While inside, `two-games` and `own-gan` are methods like any other."""
    with pytest.MonkeyPatch.context() as patch:
        for name, recipe in (("two-games", "TwoGamesRecipe"), ("own-gan", "OwnRecipe")):
            method = methods.Method(name, f"tests.games:{recipe}", "plays", "Nobody 2026")
            patch.setitem(methods.METHODS, name, method)
        yield
