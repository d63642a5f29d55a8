"""VEEGAN: a reconstructor of the noise tells the generator of the modes that it misses.

A. Srivastava, L. Valkov, C. Russell, M. U. Gutmann and C. Sutton, *VEEGAN: Reducing Mode Collapse in GANs
using Implicit Variational Learning*, NeurIPS 2017, Algorithm 1.

The critic judges pairs: (z, G(z)) against (F(x), x). F maps data to noise and is trained, as a regression, to
recover z from G(z); the generator shares that loss.

Deviations from the paper:
1. The critic steps first, then generator and reconstructor together on fresh z, where the paper moves all
   three by one batch.
2. ‖z - F(G(z))‖² is summed over the coordinates of z, as in the paper; F's variance is fixed at ½.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pushforward.abilities import Game
from pushforward.algorithms.adversarial import (
    AdversarialHyperparameters,
    AdversarialModel,
    critic_step,
    generator_terms,
)
from pushforward.core import Draw, Player, Steps, Update
from pushforward.distributions.likelihood import at_least_single
from pushforward.errors import UserError
from pushforward.objectives.adversarial import minimax_critic
from pushforward.views import ViewedCritic


@dataclass(kw_only=True)
class VEEGANHyperparameters(AdversarialHyperparameters):
    """What the paper leaves to choose."""

    reconstruction: float = 1.0
    """Weight of ‖z - F(G(z))‖² in the generator's loss."""

    def check(self) -> None:
        """Raise UserError at the first value that cannot be."""
        super().check()
        if not self.reconstruction >= 0:
            raise UserError(f"`reconstruction`: {self.reconstruction}; expected a weight of at least 0")


class VEEGAN(AdversarialModel):
    """Critic of pairs, generator and reconstructor; it also encodes.

    critic: its network maps (b, *x) and (b, latent_dim) to logits. reconstructor: (b, *x) -> (b, latent_dim).
    """

    threshold = 0.0
    sigmoid = True
    hyper: VEEGANHyperparameters

    def __init__(
        self,
        *,
        generator: nn.Module,
        critic: ViewedCritic,
        hyper: VEEGANHyperparameters,
        reconstructor: nn.Module | None = None,
    ) -> None:
        super().__init__(generator=generator, critic=critic, hyper=hyper)
        if reconstructor is None:
            raise UserError(
                "reconstructor: None; VEEGAN needs a network from data to noise, (b, *x) -> (b, latent_dim); "
                "without one take GAN"
            )
        if critic.at_once > 1:
            raise UserError(
                "`pack`: VEEGAN's critic judges pairs of x and z, which cannot be packed; leave it out"
            )
        self.reconstructor = reconstructor

    def players(self) -> dict[str, Player]:
        """Three: also the reconstructor."""
        return {**super().players(), "reconstructor": self.hyper.player(self.reconstructor)}

    def games(self) -> dict[str, Game]:
        """The one of the generator and the critic of pairs, whose scores of generated ones are to be high."""
        games = super().games().items()
        return {
            name: replace(game, real_is_high=False, infer=lambda x, label: self.encode(x))
            for name, game in games
        }

    def encode(self, x: Float[Tensor, "b *x"]) -> Float[Tensor, "b d"]:
        """F(x), the noise that the reconstructor finds in each image or point."""
        return at_least_single(self._code(x))

    def _code(self, x: Tensor) -> Tensor:
        code: Tensor = self.reconstructor(self.critic.standardised(x))
        return code

    def reconstruct(self, x: Float[Tensor, "b *x"]) -> Float[Tensor, "b *x"]:
        """G(F(x))."""
        return self.decode(self.encode(x))

    def step(self, draw: Draw) -> Steps:
        """The critic tells (z, G(z)) from (F(x), x); then the generator and F."""
        for _ in range(self.hyper.n_critic):
            x = draw().x
            z = self.sample_prior(len(x))
            with torch.no_grad():
                fake, z_x = self.decode(z), self.encode(x)
            looks = self.critic(fake, x, self.clock, codes=(z, z_x))
            yield from critic_step(looks, minimax_critic)
        z = self.sample_prior(len(x))
        fake = self.generate_from(z)
        reconstruction = (z - self._code(fake)).square().sum(1).mean()
        looks = self.critic(None, fake, self.clock, codes=(z, z))
        generator_loss = generator_terms(looks, torch.mean) + self.hyper.reconstruction * reconstruction
        yield Update(
            {"generator": generator_loss, "reconstructor": reconstruction}, {"reconstruction": reconstruction}
        )
