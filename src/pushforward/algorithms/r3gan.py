"""R3GAN: the relativistic GAN with both zero-centred penalties.

Y. Huang, A. Gokaslan, V. Kuleshov and J. Tompkin, *The GAN is dead; long live the GAN! A Modern GAN
Baseline*, NeurIPS 2024, eq. 2 to 4.

Deviations from the paper:
1. γ and the rate fall along a cosine, and Adam's β2 rises along one, as in the authors' code.
2. The fakes of the critic's step and of the generator's are of different z, as in the authors' code.
3. Networks are the recipe's (the paper's own is a ResNeXt-like one for GPUs).
4. The schedules are as long as the run; theirs end at a number of images that is fixed for each data set,
   and the rest of their run keeps the last values.
5. The generator's step meets the real batch of the critic's again; theirs draws another.
6. The half-life of the averaged weights grows along a cosine from nothing, as theirs, to a share of the run;
   theirs ends at 500,000 images for 64 × 64 pixels, of 20 million over which it grows.
7. R1 and R2 are taken at what the critic saw; the authors' code takes them of the raw image, through its
   augmentation. Without an augmenting view there is no difference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from pushforward.algorithms.adversarial import (
    AdversarialHyperparameters,
    AdversarialModel,
    Ema,
    critic_step,
    refuse_batch_norm,
)
from pushforward.core import Batch, Clock, Draw, Player, Steps, Update
from pushforward.distributions.labels import Labels
from pushforward.errors import UserError
from pushforward.objectives.adversarial import relativistic_critic, relativistic_generator
from pushforward.views import ViewedCritic, ZeroCentredPenalties
from pushforward.views.critic import weighted_sum


@dataclass(kw_only=True)
class R3GANHyperparameters(AdversarialHyperparameters):
    """The authors' settings for small images."""

    beta1: float = 0.0
    """Adam's decay of the first moment."""
    beta2: float = 0.9
    """Adam's decay of the second moment at the start."""
    beta2_end: float = 0.99
    """The same at the end, reached along half a cosine."""
    ema: float | None = None
    """Fixed decay per step of averaged generator weights, in place of one that `ema_share` lets grow."""
    ema_share: float = 0.025
    """Half-life of the generator's averaged weights at the end, as a share of the run's steps; it grows from
    nothing along half a cosine. 0 for no average."""
    lr_schedule: Literal["constant", "cosine"] = "cosine"
    """How the rates change over the run: not at all, or along half a cosine down to `lr_end`."""
    lr_end: float = 0.25
    """The share of the rate that is left at the end of the cosine."""
    gamma: float = 1.0
    """γ, the weight of half the squared gradient on real data, and of that on generated data."""
    gamma_end: float = 0.1
    """The share of γ that is left at the end, along half a cosine."""

    def check(self) -> None:
        """Raise UserError at the first value that cannot be."""
        super().check()
        if not 0 <= self.beta2_end < 1:
            raise UserError(f"`beta2_end`: {self.beta2_end}; expected a decay in [0, 1)")
        if not self.gamma > 0:
            raise UserError(f"`gamma`: {self.gamma}; expected a positive weight, such as 1")
        for name in ("lr_end", "gamma_end", "ema_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"`{name}`: {getattr(self, name)}; expected a share in [0, 1]")

    def rate(self, clock: Clock) -> float:
        """The factor of the learning rates now."""
        return _falling(clock, self.lr_end) if self.lr_schedule == "cosine" else 1.0

    def gamma_at(self, clock: Clock) -> float:
        """γ now."""
        return self.gamma * _falling(clock, self.gamma_end)

    def player(self, module: nn.Module, *, ema: Ema = None) -> Player:
        """The player that moves this module."""
        options = {"betas": (self.beta1, self.beta2)}
        return Player(
            module=module, lr=self.lr, options=options, schedule=self.rate, ema=ema, changing=self.betas_at
        )

    def betas_at(self, clock: Clock) -> dict[str, tuple[float, float]]:
        """Adam's decays now."""
        beta2 = self.beta2_end + (self.beta2 - self.beta2_end) * _falling(clock, 0.0)
        return {"betas": (self.beta1, beta2)}

    def averaging(self) -> Ema:
        """Of the generator: a fixed decay, or one whose half-life grows."""
        if self.ema is not None or self.ema_share == 0:
            return self.ema
        return self.decay_at

    def decay_at(self, clock: Clock) -> float:
        """The decay of averaged weights now."""
        steps = (clock.steps if clock.until is None else clock.until) - clock.since
        half_life = self.ema_share * steps * (1 - _falling(clock, 0.0))
        return 0.5 ** (1 / half_life) if half_life > 1e-3 else 0.0


class R3GAN(AdversarialModel):
    """Pairs of real and generated data, by how much more real the critic finds the one; R1 and R2."""

    hyper: R3GANHyperparameters

    def __init__(
        self,
        *,
        generator: nn.Module,
        critic: ViewedCritic,
        hyper: R3GANHyperparameters,
        labels: Labels | None = None,
    ) -> None:
        refuse_batch_norm(critic, "a penalty on the critic's gradient")
        super().__init__(generator=generator, critic=critic, hyper=hyper, labels=labels)

    def step(self, draw: Draw) -> Steps:
        """One step of the critic, one of the generator, on the same real data."""
        penalties = ZeroCentredPenalties(self.hyper.gamma_at(self.clock) / 2)
        for _ in range(self.hyper.n_critic):
            batch = draw()
            looks = self.looks_at(batch, differentiable=True)
            yield from critic_step(looks, relativistic_critic, penalties=[penalties])
        yield Update({"generator": self.generator_loss(batch)})

    def generator_loss(self, batch: Batch) -> Tensor:
        """Real scores are constants here: they are scored apart, without a graph."""
        z = self.inputs(batch)
        fake = self.generate_from(z)
        with torch.no_grad():
            references = self.critic.score_real(batch.x, self.clock, codes=None if self.labels is None else z)
        looks = self.judged(fake, z)
        weights = [look.weight_generator for look in looks]
        scores = [look.fake_scores for look in looks]
        return weighted_sum(weights, map(relativistic_generator, references, scores))


def _falling(clock: Clock, end: float) -> float:
    """From 1 to `end` along half a cosine over the run."""
    return end + (1 - end) * 0.5 * (1 + math.cos(math.pi * clock.fraction))
