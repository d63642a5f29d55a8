"""The least-squares GAN.

X. Mao et al., *Least Squares Generative Adversarial Networks*, ICCV 2017, eq. 9 (the 0-1 coding).

Deviations from the paper: none in the objective; networks are the recipe's.
"""

from __future__ import annotations

from dataclasses import dataclass

from pushforward.algorithms.adversarial import (
    AdversarialHyperparameters,
    AdversarialModel,
    critic_step,
    generator_terms,
)
from pushforward.core import Draw, Steps, Update
from pushforward.objectives.adversarial import least_squares_critic, least_squares_generator


@dataclass(kw_only=True)
class LSGANHyperparameters(AdversarialHyperparameters):
    """What the paper leaves to choose."""


class LSGAN(AdversarialModel):
    """The critic regresses to 1 on real and 0 on generated data."""

    threshold = 0.5

    def step(self, draw: Draw) -> Steps:
        """n_critic steps of the critic, then one of the generator."""
        for _ in range(self.hyper.n_critic):
            x = draw().x
            yield from critic_step(self.critic(x, self.sample(len(x)), self.clock), least_squares_critic)
        looks = self.judged(self.generate(len(x)))
        yield Update({"generator": generator_terms(looks, least_squares_generator)})
