"""What every adversarial model shares: a generator, a critic with its views, and how they are moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, cast

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from pushforward.abilities import GAME, Game
from pushforward.core import Algorithm, Batch, Clock, Player, Steps, Update, constant, cosine
from pushforward.distributions.labels import Labels
from pushforward.distributions.likelihood import at_least_single
from pushforward.errors import UserError
from pushforward.networks.layers import has_batch_norm
from pushforward.views import Look, Penalty, ViewedCritic
from pushforward.views.critic import Codes, weighed, weighted_sum
from pushforward.views.view import Learner

NONE: Mapping[str, Tensor] = {}
Ema = float | Callable[[Clock], float] | None


@dataclass(kw_only=True)
class AdversarialHyperparameters:
    """What every adversarial model leaves to choose. Defaults are those of Radford et al. 2016 (DCGAN)."""

    latent_dim: int = 128
    """Dimensions of the noise z that the generator maps."""
    lr: float = 2e-4
    """Rate of both players, per step; --lr.critic and --lr.generator set one's."""
    beta1: float = 0.5
    """Adam's decay of the first moment."""
    beta2: float = 0.999
    """Adam's decay of the second moment."""
    n_critic: int = 1
    """Critic steps before each generator step."""
    ema: float | None = None
    """Decay per step of averaged generator weights, published instead of the last ones; none by default."""
    lr_schedule: Literal["constant", "cosine"] = "constant"
    """How the rates change over the run: not at all, or down to zero along half a cosine."""

    def check(self) -> None:
        """Raise UserError at the first value that cannot be."""
        for name in ("latent_dim", "n_critic"):
            if getattr(self, name) < 1:
                raise UserError(f"`{name}`: {getattr(self, name)}; expected at least 1")
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"`{name}`: {getattr(self, name)}; expected a decay in [0, 1)")

    def averaging(self) -> Ema:
        """The decay of averaged generator weights."""
        return self.ema

    def player(self, module: nn.Module, *, ema: Ema = None) -> Player:
        """The player that moves this module by Adam with these settings."""
        return Player(
            module=module,
            lr=self.lr,
            options={"betas": (self.beta1, self.beta2)},
            schedule=cosine if self.lr_schedule == "cosine" else constant,
            ema=ema,
        )


class AdversarialModel(Algorithm):
    """A generator (b, latent_dim) -> (b, *x) of z ~ N(0, 1), against a critic of real and generated x.

    Abstract: the papers' files add `step`, and say what the scores mean.
    """

    threshold: ClassVar[float | None] = None
    """The score above which the critic takes a sample for real; None where scores have no zero."""
    sigmoid: ClassVar[bool] = False
    """Whether losses go through a sigmoid of the score, which can be flat."""

    def __init__(
        self,
        *,
        generator: nn.Module,
        critic: ViewedCritic,
        hyper: AdversarialHyperparameters,
        labels: Labels | None = None,
    ) -> None:
        super().__init__()
        hyper.check()
        self.labels = labels
        self.generator = generator
        self.critic = critic
        self.hyper = hyper
        self.latent_dim = hyper.latent_dim

    def players(self) -> dict[str, Player]:
        """Two: the critic with its views' heads, and the generator."""
        return {
            "critic": self.hyper.player(self.critic),
            "generator": self.hyper.player(self.generator, ema=self.hyper.averaging()),
        }

    def check_batch(self, n: int) -> None:
        """Raise UserError where the critic's views cannot show batches of n, or BatchNorm has but one row."""
        self.critic.check_batch(n)
        if n < 2 and (self.critic.has_batch_norm or has_batch_norm(self.generator)):
            raise UserError(
                f"`batch_size`: {n} for a process, and BatchNorm needs at least 2 to have a variance; take "
                "more, or `critic_norm` none and `generator_norm` none"
            )

    def sample_prior(self, n: int) -> Float[Tensor, "n d"]:
        """z ~ N(0, 1); of a conditional model with a class, as often as in the training data."""
        z = self._noise(n)
        return z if self.labels is None else self.labels.beside(z, self.labels.draw(n))

    def inputs(self, batch: Batch) -> Float[Tensor, "n d"]:
        """A code for each row of a batch; of a conditional model, of that row's class."""
        if self.labels is None:
            return self.sample_prior(len(batch.x))
        return self.labels.beside(self._noise(len(batch.x)), self.labels.of(batch.label))

    def _noise(self, n: int) -> Float[Tensor, "n d"]:
        like = next(self.generator.parameters())
        return torch.randn(n, self.latent_dim, device=like.device, dtype=like.dtype)

    @torch.no_grad()
    def sample(self, n: int) -> Float[Tensor, "n *x"]:
        """n images in [-1, 1], or points. Records no graph."""
        return self.decode(self.sample_prior(n))

    def decode(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n *x"]:
        """G(z), in float32."""
        return at_least_single(self.generate_from(z))

    def generate(self, n: int) -> Float[Tensor, "n *x"]:
        """n samples whose gradient reaches the generator."""
        return self.generate_from(self.sample_prior(n))

    def generate_from(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n *x"]:
        """G(z), whose gradient reaches the generator; points in the data's units."""
        made: Tensor = self.critic.in_units(self.generator(z))
        return made

    def games(self) -> dict[str, Game]:
        """The one of the generator and the critic."""
        return {
            GAME: Game(
                generator=self.generator,
                critic=self.critic,
                inputs=lambda draw, n: self.sample_prior(n),
                generate=self.decode,
                threshold=self.threshold,
                sigmoid=self.sigmoid,
                infer=None if self.labels is None else self.infer,
            )
        }

    def judged(self, fake: Tensor, z: Tensor | None = None) -> list[Look]:
        """Looks at generated data alone, for the generator's loss. z: what it was made of."""
        return self.critic(None, fake, self.clock, codes=self._codes(z))

    def looks_at(self, batch: Batch, *, differentiable: bool = False) -> list[Look]:
        """The critic's looks at a batch and at as many samples, of the same classes where it is told any."""
        z = self.inputs(batch)
        with torch.no_grad():
            fake = self.decode(z)
        return self.critic(batch.x, fake, self.clock, codes=self._codes(z), differentiable=differentiable)

    def judged_like(self, batch: Batch) -> list[Look]:
        """Looks at new samples of the batch's classes, for the generator's loss."""
        z = self.inputs(batch)
        return self.judged(self.generate_from(z), z)

    def _codes(self, z: Tensor | None) -> Codes | None:
        """A critic that is told the class is one of pairs: real and generated data go with the same codes."""
        return None if self.labels is None or z is None else (z, z)

    def infer(
        self, x: Float[Tensor, "n *x"], label: Int64[Tensor, " n"] | None = None
    ) -> Float[Tensor, "n d"]:
        """The class of each x as a code: its label; without any, the class that suits it best by the critic.

        Samples keep their own class, so only with labels can scores of x be compared with theirs.
        """
        assert self.labels is not None
        if label is None:
            network = self.critic.network
            label = network.head.by_class(network.trunk(self.critic.standardised(x))).argmax(1)
        return self.labels.beside(x.new_zeros(len(x), self.latent_dim), label)


def critic_step(
    looks: Sequence[Look],
    loss: Callable[..., Tensor],
    *,
    penalties: Sequence[Penalty] = (),
    info: Callable[[Tensor], Mapping[str, Tensor]] = lambda first: {},
    others: Mapping[str, Tensor] = NONE,
    player: str = "critic",
    prefix: str = "",
) -> Steps:
    """One step of a critic, for `yield from`: its loss by views, its penalties, and what views learn of it.

    penalties: of the method, beside those that its critic has by itself. loss: of real scores and fake
    scores. info: what to report of the first view's loss, which is that of the data themselves; penalties are
    reported by their own names, each summed over views. others: losses of players that move at once. player:
    whose module the critic is. prefix: before all names that are reported, where a method has several
    critics.
    """
    by_view = [loss(*look.pair()) for look in looks]
    total, report = weighed(looks, by_view), dict(info(by_view[0]))
    everywhere = cast("list[Penalty]", list(looks[0].source.penalties))
    penalties = [*penalties, *everywhere]
    for penalty in penalties:
        values = penalty(looks)
        total = total + penalty.weight * sum(values.values())
        report |= values
    for look in looks:
        report |= look.view.report()
    learning: list[tuple[Learner, Mapping[str, Tensor]]] = [
        (look.view, look.view.statistics(*(s.detach() for s in look.pair()))) for look in looks
    ]
    learning += [(penalty, penalty.statistics(looks)) for penalty in penalties]
    share = {f"{i}/{name}": v for i, (_, values) in enumerate(learning) for name, v in values.items()}
    averages = yield Update({player: total, **others}, {prefix + k: v for k, v in report.items()}, share)
    for i, (learner, values) in enumerate(learning):
        if values:
            learner.observe({name: averages[f"{i}/{name}"] for name in values}, looks[0].clock.images)


def critic_terms(looks: Sequence[Look], loss: Callable[..., Tensor]) -> Tensor:
    """Σ over views of weight_critic · loss(real scores, fake scores)."""
    return weighed(looks, (loss(*look.pair()) for look in looks))


def generator_terms(looks: Sequence[Look], loss: Callable[[Tensor], Tensor]) -> Tensor:
    """Σ over views of weight_generator · loss(fake scores)."""
    weights = [look.weight_generator for look in looks]
    return weighted_sum(weights, (loss(look.fake_scores) for look in looks))


def distance(first: Tensor) -> dict[str, Tensor]:
    """What a Wasserstein critic's loss says of the distance, for `critic_step(info=...)`."""
    return {"distance": -first}


def refuse_batch_norm(critic: ViewedCritic, why: str) -> None:
    """Raise UserError for a critic whose scores of a batch depend on each other. why: who says so."""
    if critic.has_batch_norm:
        raise UserError(
            f"`critic_norm`: batch, but {why} needs the gradient of each sample's own score, which "
            "BatchNorm mixes with the rest of the batch; take 'none' or 'spectral'"
        )
