"""The Wasserstein GAN with gradient penalty.

I. Gulrajani et al., *Improved Training of Wasserstein GANs*, NeurIPS 2017, Algorithm 1.

Deviations from the paper: none in the algorithm; networks are the recipe's. What the critic's loss says of
the distance: its best critic is steeper than 1, by m/(2λ) for data that are m away, so `info/distance`
reads too high by that share.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import nn

from pushforward.abilities import Game, SlopePenalty
from pushforward.algorithms.adversarial import (
    AdversarialHyperparameters,
    AdversarialModel,
    critic_step,
    distance,
    generator_terms,
    refuse_batch_norm,
)
from pushforward.core import Draw, Steps, Update
from pushforward.distributions.labels import Labels
from pushforward.errors import UserError
from pushforward.objectives.adversarial import wasserstein_critic, wasserstein_generator
from pushforward.views import GradientPenalty, ViewedCritic


@dataclass(kw_only=True)
class WGANGPHyperparameters(AdversarialHyperparameters):
    """Algorithm 1's defaults."""

    lr: float = 1e-4
    """Rate of both players, per step; --lr.critic and --lr.generator set one's."""
    beta1: float = 0.0
    """Adam's decay of the first moment."""
    beta2: float = 0.9
    """Adam's decay of the second moment."""
    n_critic: int = 5
    """Critic steps before each generator step."""
    penalty: float = 10.0
    """λ, the weight of the gradient penalty."""
    one_sided: bool = False
    """Penalise only slopes above 1 (the paper's section 4)."""

    def check(self) -> None:
        """Raise UserError at the first value that cannot be."""
        super().check()
        if not self.penalty > 0:
            raise UserError(f"`penalty`: {self.penalty}; expected a positive weight, such as 10")


class WGANGP(AdversarialModel):
    """A critic whose slope is held near 1 between real and generated data."""

    hyper: WGANGPHyperparameters

    def __init__(
        self,
        *,
        generator: nn.Module,
        critic: ViewedCritic,
        hyper: WGANGPHyperparameters,
        labels: Labels | None = None,
    ) -> None:
        refuse_batch_norm(critic, "the gradient penalty")
        super().__init__(generator=generator, critic=critic, hyper=hyper, labels=labels)

    def games(self) -> dict[str, Game]:
        """The one of the generator and the critic, with the penalty on its slope."""
        slope = SlopePenalty(weight=self.hyper.penalty, one_sided=self.hyper.one_sided)
        return {name: replace(game, slope=slope) for name, game in super().games().items()}

    def step(self, draw: Draw) -> Steps:
        """One pass through Algorithm 1's outer loop."""
        penalty = GradientPenalty(self.hyper.penalty, self.hyper.one_sided)
        for _ in range(self.hyper.n_critic):
            batch = draw()
            looks = self.looks_at(batch)
            yield from critic_step(looks, wasserstein_critic, penalties=[penalty], info=distance)
        yield Update({"generator": generator_terms(self.judged_like(batch), wasserstein_generator)})
