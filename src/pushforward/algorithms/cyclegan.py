"""CycleGAN: two generators between two domains without pairs, held together by the way back.

J.-Y. Zhu, T. Park, P. Isola and A. A. Efros, *Unpaired Image-to-Image Translation using Cycle-Consistent
Adversarial Networks*, ICCV 2017, eq. 1 to 3, section 4, and the identity loss of section 5.2.

Deviations from the paper:
1. Schedules follow the run's steps, where the paper counts epochs: the first half constant, then linear to 0.
2. The identity loss is on by default, as in the authors' code; the paper uses it for some data.
3. Images are not cropped or mirrored at random, unless the options of augmentation say so.
4. Each of several processes has pools of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pushforward.abilities import Game
from pushforward.algorithms.adversarial import critic_step, generator_terms
from pushforward.algorithms.translation import TranslationHyperparameters, fooled
from pushforward.core import Algorithm, Draw, Player, Steps, Update
from pushforward.distributions.likelihood import at_least_single
from pushforward.errors import UserError
from pushforward.objectives.adversarial import least_squares_critic
from pushforward.views import ViewedCritic

OTHER = {"a": "b", "b": "a"}


@dataclass(kw_only=True)
class CycleGANHyperparameters(TranslationHyperparameters):
    """What the paper leaves to choose."""

    cycle: Literal["l1", "mse"] = "l1"
    """The error of there and back: mean absolute, as in the paper, or mean squared."""
    cycle_weight: float = 10.0
    """λ, the weight of that error in each direction."""
    identity: float = 0.5
    """Weight, in parts of λ, of |G(b) - b| for b that is in the domain already; 0 for none."""
    pool: int = 50
    """Generated images of each domain that are kept to show to its critic later; 0 for none."""

    def check(self) -> None:
        """Raise UserError at the first value that cannot be."""
        super().check()
        for name in ("cycle_weight", "identity", "pool"):
            if not getattr(self, name) >= 0:
                raise UserError(f"`{name}`: {getattr(self, name)}; expected at least 0")


class Pool(nn.Module):
    """Generated images of the past. Shrivastava et al. 2017, section 2.3, as CycleGAN's authors have it.

    Until it is full it keeps what comes and hands it on. Then it hands on each image half of the time; the
    other half it hands on one that it held, and keeps the new one in its place.
    """

    images: Tensor
    held: Tensor

    def __init__(self, size: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("images", torch.zeros(size, *shape))
        self.register_buffer("held", torch.zeros(1, dtype=torch.int64))

    @torch.no_grad()
    def forward(self, x: Float[Tensor, "n *x"]) -> Float[Tensor, "n *x"]:
        """As many, of now or of before; detached."""
        return x.detach() if not self.size else torch.cat([self._one(row) for row in x.detach().split(1)])

    def _one(self, x: Tensor) -> Tensor:
        # By tensors alone, so that no device is waited for.
        full = self.held >= self.size
        place = torch.where(full, torch.randint(self.size, (1,), device=x.device), self.held)
        swap = full & (torch.rand(1, device=x.device) < 0.5)
        new = x.to(self.images.dtype)
        old = self.images.index_select(0, place)
        several = (-1, *[1] * (x.ndim - 1))
        self.images.index_copy_(0, place, torch.where((swap | ~full).view(several), new, old))
        self.held.add_(~full)
        return torch.where(swap.view(several), old.to(x.dtype), x)


class CycleGAN(Algorithm):
    """Generators (b, c, h, w) -> (b, c, h, w) into a and b, and a critic of each domain.

    shape: of the images of both domains. smallest_side: pixels of the least side that both generators take.
    """

    threshold = 0.5
    into = ("a", "b")
    local = ("pool_a", "pool_b")
    training_only = ("pool_a", "pool_b")

    def __init__(
        self,
        *,
        generator_a: nn.Module,
        generator_b: nn.Module,
        critic_a: ViewedCritic,
        critic_b: ViewedCritic,
        shape: tuple[int, ...],
        hyper: CycleGANHyperparameters,
        smallest_side: int = 1,
    ) -> None:
        super().__init__()
        hyper.check()
        self.generator_a, self.generator_b = generator_a, generator_b
        self.critic_a, self.critic_b = critic_a, critic_b
        self.pool_a, self.pool_b = Pool(hyper.pool, shape), Pool(hyper.pool, shape)
        self.hyper, self.smallest_side = hyper, smallest_side

    def players(self) -> dict[str, Player]:
        """Four: the generators into a and b, and the critics of them."""
        hyper = self.hyper
        return {
            "generator_a": hyper.player(self.generator_a, ema=hyper.ema),
            "generator_b": hyper.player(self.generator_b, ema=hyper.ema),
            "critic_a": hyper.player(self.critic_a),
            "critic_b": hyper.player(self.critic_b),
        }

    def check_batch(self, n: int) -> None:
        """Raise UserError where a critic's views cannot show batches of n."""
        self.critic_a.check_batch(n)
        self.critic_b.check_batch(n)

    def step(self, draw: Draw) -> Steps:
        """Both generators at once, then each critic, on what was generated before and now."""
        a, b = draw("a").x, draw("b").x
        fake_a, fake_b = self.generator_a(b), self.generator_b(a)
        loss, info = self.generator_loss(a, b, fake_a, fake_b)
        yield Update({"generator_a": loss, "generator_b": loss}, info)
        looks = self.critic_a(a, self.pool_a(fake_a), self.clock)
        yield from critic_step(looks, least_squares_critic, player="critic_a", prefix="a/")
        looks = self.critic_b(b, self.pool_b(fake_b), self.clock)
        yield from critic_step(looks, least_squares_critic, player="critic_b", prefix="b/")

    def generator_loss(
        self, a: Tensor, b: Tensor, fake_a: Tensor, fake_b: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Eq. 3 with the identity loss, for both generators; and its parts, to log."""
        hyper = self.hyper
        games = {
            "a/fool": generator_terms(self.critic_a(None, fake_a, self.clock), fooled),
            "b/fool": generator_terms(self.critic_b(None, fake_b, self.clock), fooled),
        }
        cycles = {
            "a/cycle": self._error(self.generator_a(fake_b), a),
            "b/cycle": self._error(self.generator_b(fake_a), b),
        }
        loss = sum(games.values()) + hyper.cycle_weight * sum(cycles.values())
        same: dict[str, Tensor] = {}
        if hyper.identity:
            same = {
                "a/identity": _absolute(self.generator_a(a), a),
                "b/identity": _absolute(self.generator_b(b), b),
            }
            loss = loss + hyper.identity * hyper.cycle_weight * sum(same.values())
        assert isinstance(loss, Tensor)
        return loss, {**games, **cycles, **same}

    def _error(self, made: Tensor, x: Tensor) -> Tensor:
        return _absolute(made, x) if self.hyper.cycle == "l1" else (made - x).square().mean()

    def translate(self, x: Float[Tensor, "n c h w"], to: str) -> Float[Tensor, "n c h w"]:
        """x of the other domain as images of `to`, "a" or "b"; of any size that the generator takes."""
        if to not in OTHER:
            raise UserError(f"`to`: {to!r}; expected 'a' or 'b'")
        return at_least_single(self.generator_a(x) if to == "a" else self.generator_b(x))

    def reconstruct(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Images of a, through b and back."""
        return self.translate(self.translate(x, "b"), "a")

    def games(self) -> dict[str, Game]:
        """One into each domain, by the domain's name."""
        return {"a": self._game("a"), "b": self._game("b")}

    def _game(self, to: str) -> Game:
        return Game(
            generator=self.generator_a if to == "a" else self.generator_b,
            critic=self.critic_a if to == "a" else self.critic_b,
            inputs=lambda draw, n: draw(OTHER[to], n).x,
            generate=lambda x: self.translate(x, to),
            player=f"generator_{to}",
            stream=to,
            threshold=self.threshold,
        )


def _absolute(made: Tensor, x: Tensor) -> Tensor:
    return (made - x).abs().mean()
