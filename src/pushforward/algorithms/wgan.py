"""The Wasserstein GAN with weight clipping.

M. Arjovsky, S. Chintala and L. Bottou, *Wasserstein Generative Adversarial Networks*, ICML 2017, Algorithm 1.

Deviations from the paper:
1. No burst of 100 critic steps at the start and at every 500th step, which only the authors' code has.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from pushforward.algorithms.adversarial import (
    AdversarialHyperparameters,
    AdversarialModel,
    Ema,
    critic_step,
    distance,
    generator_terms,
)
from pushforward.core import Draw, Player, Steps, Update, constant, cosine
from pushforward.errors import UserError
from pushforward.objectives.adversarial import wasserstein_critic, wasserstein_generator
from pushforward.objectives.penalties import clip_weights_


@dataclass(kw_only=True)
class WGANHyperparameters(AdversarialHyperparameters):
    """Algorithm 1's defaults. RMSProp does not use beta1 and beta2."""

    lr: float = 5e-5
    """Rate of both players, per step; --lr.critic and --lr.generator set one's."""
    n_critic: int = 5
    """Critic steps before each generator step."""
    c: float = 0.01
    """Largest absolute value of a critic's weight, clipped after each of its steps."""

    def check(self) -> None:
        """Raise UserError at the first value that cannot be."""
        super().check()
        if not self.c > 0:
            raise UserError(f"`c`: {self.c}; expected a positive bound of the critic's weights, such as 0.01")

    def player(self, module: nn.Module, *, ema: Ema = None) -> Player:
        """The player that moves this module by RMSProp."""
        schedule = cosine if self.lr_schedule == "cosine" else constant
        return Player(module=module, optimizer=torch.optim.RMSprop, lr=self.lr, schedule=schedule, ema=ema)


class WGAN(AdversarialModel):
    """The critic's best answer is the earth-mover's distance, up to the scale that clipping allows."""

    hyper: WGANHyperparameters

    def step(self, draw: Draw) -> Steps:
        """One pass through Algorithm 1's outer loop."""
        for _ in range(self.hyper.n_critic):
            x = draw().x
            looks = self.critic(x, self.sample(len(x)), self.clock)
            yield from critic_step(looks, wasserstein_critic, info=distance)
            clip_weights_(self.critic, self.hyper.c)
        looks = self.judged(self.generate(len(x)))
        yield Update({"generator": generator_terms(looks, wasserstein_generator)})
