"""What every adversarial model shares: a generator, a critic with its views, and how they are moved."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pushforward.core import Algorithm, Player, constant, cosine
from pushforward.errors import UserError
from pushforward.views import Look, ViewedCritic


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
                raise UserError(f"--{name.replace('_', '-')}: {getattr(self, name)}; expected at least 1")
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"--{name}: {getattr(self, name)}; expected a decay in [0, 1)")

    def player(self, module: nn.Module, *, ema: float | None = None) -> Player:
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

    Abstract: the papers' files add `step`.
    """

    def __init__(
        self, *, generator: nn.Module, critic: ViewedCritic, hyper: AdversarialHyperparameters
    ) -> None:
        super().__init__()
        hyper.check()
        self.generator = generator
        self.critic = critic
        self.hyper = hyper
        self.latent_dim = hyper.latent_dim

    def players(self) -> dict[str, Player]:
        """Two: the critic with its views' heads, and the generator."""
        return {
            "critic": self.hyper.player(self.critic),
            "generator": self.hyper.player(self.generator, ema=self.hyper.ema),
        }

    def check_batch(self, n: int) -> None:
        """Raise UserError where the critic's views cannot show batches of n."""
        self.critic.check_batch(n)

    def sample_prior(self, n: int) -> Float[Tensor, "n d"]:
        """z ~ N(0, 1)."""
        return torch.randn(n, self.latent_dim, device=next(self.generator.parameters()).device)

    @torch.no_grad()
    def sample(self, n: int) -> Float[Tensor, "n *x"]:
        """n images in [-1, 1], or points. Records no graph."""
        return self.decode(self.sample_prior(n))

    def decode(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n *x"]:
        """G(z), in float32."""
        return self.generator(z).float()

    def generate(self, n: int) -> Float[Tensor, "n *x"]:
        """n samples whose gradient reaches the generator."""
        return self.generator(self.sample_prior(n))

    def critic_terms(self, looks: Iterable[Look], loss: Callable[..., Tensor]) -> Tensor:
        """Σ over views of weight_critic · loss(real scores, fake scores)."""
        return _sum(_weighted(look.view.weight_critic, loss(*look.pair())) for look in looks)

    def generator_terms(self, fake: Tensor, loss: Callable[[Tensor], Tensor]) -> Tensor:
        """Σ over views of weight_generator · loss(fake scores)."""
        looks = self.critic(None, fake, self.clock)
        return _sum(_weighted(look.view.weight_generator, loss(look.fake_scores)) for look in looks)


def refuse_batch_norm(critic: ViewedCritic, why: str) -> None:
    """Raise UserError for a critic whose scores of a batch depend on each other. why: who says so."""
    if critic.has_batch_norm:
        raise UserError(
            f"--critic-norm: batch, but {why} needs the gradient of each sample's own score, which "
            "BatchNorm mixes with the rest of the batch; take 'none' or 'spectral'"
        )


def _weighted(weight: float, value: Tensor) -> Tensor:
    return value if weight == 1 else weight * value


def _sum(terms: Iterable[Tensor]) -> Tensor:
    total, *rest = terms
    for term in rest:
        total = total + term
    return total
