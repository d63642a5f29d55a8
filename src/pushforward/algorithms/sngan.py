"""SNGAN: the hinge game with a critic of bounded slope.

T. Miyato, T. Kataoka, M. Koyama and Y. Yoshida, *Spectral Normalization for Generative Adversarial Networks*,
ICLR 2018, Algorithm 1 and the hinge losses of section 4.

Every weight of the critic is divided by its largest singular value. So a fully connected critic has slope 1
at most. Of a convolution it is the value of its kernel as a matrix, which is not the norm of the convolution.
The recipe normalises the networks, by `--critic-norm spectral`.

Deviations from the paper:
1. The critic steps first; in the authors' code the generator does, with twice as many samples.
2. Real and generated data pass through the critic at once: one power iteration a critic's step, where the
   authors' code has two.
3. The rates are constant; in the authors' code they fall linearly to nothing. `--lr-schedule cosine` lets
   them fall.
4. Networks are the recipe's: LeakyReLU in the critic, and no sum over all pixels before its head.
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
from pushforward.objectives.adversarial import hinge_critic, hinge_generator


@dataclass(kw_only=True)
class SNGANHyperparameters(AdversarialHyperparameters):
    """The authors' settings for CIFAR-10."""

    beta1: float = 0.0
    """Adam's decay of the first moment."""
    beta2: float = 0.9
    """Adam's decay of the second moment."""
    n_critic: int = 5
    """Critic steps before each generator step."""


class SNGAN(AdversarialModel):
    """The critic is to score real data above 1 and generated data below -1, and no further."""

    threshold = 0.0

    def step(self, draw: Draw) -> Steps:
        """n_critic steps of the critic, then one of the generator."""
        for _ in range(self.hyper.n_critic):
            x = draw().x
            yield from critic_step(self.critic(x, self.sample(len(x)), self.clock), hinge_critic)
        looks = self.judged(self.generate(len(x)))
        yield Update({"generator": generator_terms(looks, hinge_generator)})
