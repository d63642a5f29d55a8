"""A toy method that learns from two streams, a and b: linear maps between them, by moments and cycle."""

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
from pushforward.core import Algorithm, Draw, Player, Steps, Update


class Translator(Algorithm):
    """Maps a to b and back. It offers `translate`, and `reconstruct`: a through b and back."""

    smallest_side = 0  # it takes the size that it learned
    into = ("a", "b")

    def __init__(self, a: tuple[int, ...], b: tuple[int, ...], lr: float) -> None:
        super().__init__()
        self.shapes, self.lr = {"a": a, "b": b}, lr
        self.forth, self.back = nn.Linear(math.prod(a), math.prod(b)), nn.Linear(math.prod(b), math.prod(a))
        self.register_buffer("seen", torch.zeros(2))

    def players(self) -> dict[str, Player]:
        return {"forth": Player(module=self.forth, lr=self.lr), "back": Player(module=self.back, lr=self.lr)}

    def step(self, draw: Draw) -> Steps:
        """Draws b first and twice as much of it, so that nothing goes by the order or the size of streams."""
        b = draw("b", 10).x
        a = draw("a").x
        self.seen += torch.stack([a.mean(), b.mean()])
        noisy = a + 0.1 * torch.randn_like(a)
        moments = (self.translate(noisy, "b").mean(0) - b.mean(0)).square().sum()
        cycle = (self.reconstruct(noisy) - a).square().mean()
        yield Update({"forth": moments + cycle, "back": cycle}, {"cycle": cycle})

    def translate(self, x: Tensor, to: str) -> Tensor:
        """x as data of the stream `to`."""
        net = self.forth if to == "b" else self.back
        return net(x.flatten(1)).reshape(len(x), *self.shapes[to])

    def reconstruct(self, x: Tensor) -> Tensor:
        """a through b and back."""
        return self.translate(self.translate(x, "b"), "a")


class Sampler(Translator):
    """One that draws new a, too."""

    def sample(self, n: int) -> Tensor:
        """n new rows of a."""
        return self.translate(torch.randn(n, *self.shapes["b"], device=self.seen.device), "a").tanh()


@dataclass(kw_only=True)
class TranslatorRecipe:
    """Options of the toy."""

    streams: ClassVar[tuple[str, ...]] = ("a", "b")
    lr: float = 1e-3
    """Adam's rate."""

    def build(self, *, a: tuple[int, ...], b: tuple[int, ...]) -> Translator:
        """Maps between data of these shapes."""
        return Translator(a, b, self.lr)


@dataclass(kw_only=True)
class SamplerRecipe(TranslatorRecipe):
    """Options of the toy that samples."""

    def build(self, *, a: tuple[int, ...], b: tuple[int, ...]) -> Sampler:
        """Maps between data of these shapes."""
        return Sampler(a, b, self.lr)


@contextmanager
def registered() -> Iterator[None]:
    """While inside, `toy` and `toy-sampler` are methods like any other."""
    with pytest.MonkeyPatch.context() as patch:
        for name, recipe in (("toy", "TranslatorRecipe"), ("toy-sampler", "SamplerRecipe")):
            method = methods.Method(name, f"tests.two_streams:{recipe}", "translates: a to b", "Nobody 2026")
            patch.setitem(methods.METHODS, name, method)
        yield
