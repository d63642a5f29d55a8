"""The generative adversarial network, in both games of its paper.

I. Goodfellow et al., *Generative Adversarial Nets*, NeurIPS 2014, Algorithm 1. `GAN` descends
-ln D(G(z)), which section 3 recommends and nearly everyone means by the name; `MinimaxGAN` descends
ln(1 - D(G(z))), the value function of eq. 1 itself.

Deviations from the paper:
1. Adam with the settings of Radford et al. 2016 instead of momentum SGD.
2. Networks are the recipe's: no maxout and dropout by default.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from torch import Tensor

from pushforward.algorithms.adversarial import (
    AdversarialHyperparameters,
    AdversarialModel,
    critic_step,
    generator_terms,
)
from pushforward.core import Draw, Steps, Update
from pushforward.objectives.adversarial import minimax_critic, minimax_generator, nonsaturating_generator


@dataclass(kw_only=True)
class GANHyperparameters(AdversarialHyperparameters):
    """What the paper leaves to choose."""


class _Goodfellow(AdversarialModel):
    """Algorithm 1: n_critic ascents of the critic, then one descent of the generator."""

    threshold = 0.0
    sigmoid = True

    @abstractmethod
    def generator_loss(self, scores: Tensor) -> Tensor:
        """What the generator minimises, of the scores of its samples."""

    def step(self, draw: Draw) -> Steps:
        """One pass through Algorithm 1's outer loop."""
        for _ in range(self.hyper.n_critic):
            batch = draw()
            yield from critic_step(self.looks_at(batch), minimax_critic)
        yield Update({"generator": generator_terms(self.judged_like(batch), self.generator_loss)})


class GAN(_Goodfellow):
    """The non-saturating game."""

    def generator_loss(self, scores: Tensor) -> Tensor:
        """-E ln D(G(z))."""
        return nonsaturating_generator(scores)


class MinimaxGAN(_Goodfellow):
    """The saturating game."""

    def generator_loss(self, scores: Tensor) -> Tensor:
        """E ln(1 - D(G(z)))."""
        return minimax_generator(scores)
