"""CUT: translation in one direction, where each patch of the result must resemble its own patch of the input.

T. Park, A. A. Efros, R. Zhang and J.-Y. Zhu, *Contrastive Learning for Unpaired Image-to-Image Translation*,
ECCV 2020, eq. 1 to 5.

Deviations from the paper:
1. PatchNCE is a mean over patches and depths, as in the authors' code; eq. 4 writes sums.
2. Keys, with the encoder and the heads that make them, get no gradient, as in the authors' code; the paper
   does not say.
3. Each image has patches of its own, drawn anew at each step; the authors' code shares them in a batch.
4. λ_Y weighs the identity's PatchNCE in full, as in eq. 5; the authors' code halves both PatchNCE terms.
5. The encoder is looked at after its first and fifth block, of those that it has.
6. The encoder halves by strided convolutions, as CycleGAN's does; the authors' code blurs first, so its
   depths see a little more. Weights begin as N(0, 0.02²), theirs by Xavier's rule.
7. Schedules follow the run's steps, where the paper counts epochs: the first half constant, then linear to 0.
8. Images are not cropped or mirrored at random, unless the options of augmentation say so; FastCUT is not
   asked to translate mirrored images alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from pushforward.abilities import GAME, Game
from pushforward.algorithms.adversarial import critic_step, generator_terms
from pushforward.algorithms.translation import TranslationHyperparameters, fooled
from pushforward.core import Algorithm, Draw, Player, Steps, Update
from pushforward.distributions.likelihood import at_least_single
from pushforward.errors import UserError
from pushforward.networks.layers import normal_init_
from pushforward.objectives.adversarial import least_squares_critic
from pushforward.objectives.contrastive import patch_nce
from pushforward.views import ViewedCritic


@dataclass(kw_only=True)
class CUTHyperparameters(TranslationHyperparameters):
    """What the paper leaves to choose."""

    nce: float = 1.0
    """λ_X, the weight of PatchNCE between images of a and their translations; 10 in FastCUT."""
    identity_nce: float = 1.0
    """λ_Y, the weight of PatchNCE between images of b and what the generator makes of them; 0 for none, as in
    FastCUT."""
    patches: int = 256
    """Places of each feature map that are compared; all of them where there are no more."""
    head_width: int = 256
    """Units of both layers of each head that patches are compared through."""
    temperature: float = 0.07
    """τ, which similarities are divided by."""

    def check(self) -> None:
        """Raise UserError at the first value that cannot be."""
        super().check()
        for name in ("nce", "identity_nce"):
            if not 0 <= getattr(self, name) < math.inf:
                raise UserError(f"`{name}`: {getattr(self, name)}; expected a number of at least 0")
        if self.nce == self.identity_nce == 0:
            raise UserError(
                "`nce`: 0, and `identity_nce`: 0, so nothing ties a translation to its image; expected one "
                "above 0"
            )
        for name, least in (("patches", 2), ("head_width", 1)):
            if getattr(self, name) < least:
                raise UserError(f"`{name}`: {getattr(self, name)}; expected at least {least}")
        if not 0 < self.temperature < math.inf:
            raise UserError(f"`temperature`: {self.temperature}; expected a positive number, such as 0.07")


class Encoding(Protocol):
    """A generator whose first layers are an encoder: `networks.translation.TranslationGenerator`."""

    feature_channels: Sequence[int]

    def with_features(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The translation, and the encoder's maps of x."""
        ...

    def features(self, x: Tensor) -> list[Tensor]:
        """The encoder's maps alone."""
        ...


class Heads(nn.Module):
    """A perceptron of two layers for each depth of the encoder: patches -> unit vectors.

    channels: of the depths. It is there before the first step, so that optimiser and checkpoints know it.
    """

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        made = [nn.Sequential(nn.Linear(c, width), nn.ReLU(), nn.Linear(width, width)) for c in channels]
        self.by_depth = normal_init_(nn.ModuleList(made))

    def forward(
        self, maps: Sequence[Tensor], places: Sequence[Int64[Tensor, "b n"] | None]
    ) -> list[Float[Tensor, "b n d"]]:
        """A vector of each chosen place of each map, (b, c, h, w); of every place where places are None."""
        found = []
        for head, features, chosen in zip(self.by_depth, maps, places, strict=True):
            flat = features.flatten(2).transpose(1, 2)
            if chosen is not None:
                flat = flat.gather(1, chosen[..., None].expand(-1, -1, flat.shape[2]))
            found.append(F.normalize(at_least_single(head(flat)), dim=2, eps=1e-7))
        return found


def choose_places(maps: Sequence[Tensor], n: int) -> list[Int64[Tensor, "b n"] | None]:
    """n different places of each image's map (b, c, h, w), as indices; None, for all, where it has no more.

    One number is drawn for each image and place, so several processes choose for each image what one would.
    """
    return [
        torch.rand(len(m), size, device=m.device).topk(n, dim=1).indices if size > n else None
        for m, size in ((m, m.shape[-2] * m.shape[-1]) for m in maps)
    ]


class CUT(Algorithm):
    """A generator (b, c, h, w) -> (b, c, h, w) from a into b, heads on its encoder, and a critic of b.

    smallest_side: pixels of the least side that the generator takes.
    """

    threshold = 0.5
    into = ("b",)
    training_only = ("heads",)

    def __init__(
        self,
        *,
        generator: nn.Module,
        critic: ViewedCritic,
        hyper: CUTHyperparameters,
        smallest_side: int = 1,
    ) -> None:
        super().__init__()
        hyper.check()
        self.generator = generator
        self.encoding = cast("Encoding", generator)
        self.heads = Heads(self.encoding.feature_channels, hyper.head_width)
        self.critic = critic
        self.hyper, self.smallest_side = hyper, smallest_side

    def players(self) -> dict[str, Player]:
        """Three: the generator, the heads, which move with it, and the critic."""
        return {
            "generator": self.hyper.player(self.generator, ema=self.hyper.ema),
            "heads": self.hyper.player(self.heads),
            "critic": self.hyper.player(self.critic),
        }

    def check_batch(self, n: int) -> None:
        """Raise UserError where the critic's views cannot show batches of n."""
        self.critic.check_batch(n)

    def step(self, draw: Draw) -> Steps:
        """The critic, then the generator with the heads, on the same translations."""
        a, b = draw("a").x, draw("b").x
        x = torch.cat([a, b]) if self.hyper.identity_nce else a
        made, keys = self.encoding.with_features(x)
        fake = made[: len(a)]
        yield from critic_step(self.critic(b, fake.detach(), self.clock), least_squares_critic)
        loss, info = self.generator_loss(made, keys, len(a))
        yield Update({"generator": loss, "heads": loss}, info)

    def generator_loss(
        self, made: Tensor, keys: Sequence[Tensor], n: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Eq. 5, and its parts, to log.

        made: what the generator makes of n images of a and then, with the identity, of images of b. keys: the
        encoder's maps of those images.
        """
        hyper = self.hyper
        fool = generator_terms(self.critic(None, made[:n], self.clock), fooled)
        loss, info = fool, {"fool": fool}
        by_depth = self._compared(made, keys)
        for name, weight, rows in (
            ("nce", hyper.nce, slice(None, n)),
            ("identity_nce", hyper.identity_nce, slice(n, None)),
        ):
            if weight:
                terms = [patch_nce(q[rows], k[rows], hyper.temperature) for q, k in by_depth]
                info[name] = torch.stack(terms).mean()
                loss = loss + weight * info[name]
        return loss, info

    def _compared(self, made: Tensor, keys: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """Queries of what was made, and keys, of the same places at each depth."""
        places = choose_places(keys, self.hyper.patches)
        queries = self.heads(self.encoding.features(made), places)
        with torch.no_grad():
            return list(zip(queries, self.heads(keys, places), strict=True))

    def translate(self, x: Float[Tensor, "n c h w"], to: str = "b") -> Float[Tensor, "n c h w"]:
        """x of domain a as images of b, of any size that the generator takes. `to`: "b", else UserError."""
        if to != "b":
            raise UserError(f"`to`: {to!r}; this model translates from a to b alone: take 'b'")
        return at_least_single(self.generator(x))

    def games(self) -> dict[str, Game]:
        """The one into b."""
        return {
            GAME: Game(
                generator=self.generator,
                critic=self.critic,
                inputs=lambda draw, n: draw("a", n).x,
                generate=self.translate,
                stream="b",
                threshold=self.threshold,
            )
        }
