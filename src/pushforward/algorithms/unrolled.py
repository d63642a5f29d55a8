"""The unrolled GAN.

L. Metz, B. Poole, D. Pfau and J. Sohl-Dickstein, *Unrolled Generative Adversarial Networks*, ICLR 2017,
eq. 7 to 12.

The generator's loss is read at the critic that K further steps would lead to, and is differentiated through
those steps, Adam's moments included. `--first-order` leaves that second term out: the generator then only
meets the later critic, which is what most published code does.

Deviations from the paper:
1. The inner optimiser starts from the critic's moments as they are, as in the authors' code; the paper's
   eq. 7 has plain gradient steps.
2. All K inner steps see the same real batch and the same z, as in the authors' code.

Several processes do not equal one here: each unrolls the critic on its own share of the batch.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.func import functional_call

from pushforward.algorithms.adversarial import (
    AdversarialHyperparameters,
    AdversarialModel,
    refuse_batch_norm,
)
from pushforward.core import Draw, Steps, Update
from pushforward.errors import UserError
from pushforward.objectives.adversarial import minimax_critic, nonsaturating_generator
from pushforward.objectives.unroll import Adam, adam_of, flatten, unflatten, unroll
from pushforward.views import ViewedCritic

EPS = 1e-8  # Adam's


@dataclass(kw_only=True)
class UnrolledHyperparameters(AdversarialHyperparameters):
    """What the paper leaves to choose."""

    unroll: int = 5
    """K, the critic's steps that the generator looks ahead. Time and memory grow with it."""
    first_order: bool = False
    """Meet the later critic as a constant, without the gradient of how it came about."""

    def check(self) -> None:
        """Raise UserError at the first value that cannot be."""
        super().check()
        if self.unroll < 1:
            raise UserError(
                f"--unroll: {self.unroll}; expected at least 1 step, or the method 'gan' for none"
            )
        if self.n_critic != 1:
            raise UserError(f"--n-critic: {self.n_critic}; the unrolled critic takes 1 real step")


class UnrolledGAN(AdversarialModel):
    """The non-saturating game against the critic of K steps later."""

    hyper: UnrolledHyperparameters

    def __init__(self, *, generator: nn.Module, critic: ViewedCritic, hyper: UnrolledHyperparameters) -> None:
        refuse_batch_norm(critic, "a critic that is scored with weights it does not have yet")
        super().__init__(generator=generator, critic=critic, hyper=hyper)

    def step(self, draw: Draw) -> Steps:
        """The critic steps once from θ⁰; the generator by its loss at θᴷ, both at once."""
        x = draw().x
        fake = self.generate(len(x))
        theta = flatten(self.critic.parameters())
        critic_loss = self.critic_loss(theta, x, fake)
        theta_k = self.unrolled(theta, critic_loss, x, fake)
        looks = functional_call(self.critic, self._named(theta_k), (None, fake, self.clock))
        generator_loss = sum(
            look.view.weight_generator * nonsaturating_generator(look.fake_scores) for look in looks
        )
        yield Update({"critic": critic_loss, "generator": generator_loss})

    def unrolled(self, theta: Tensor, critic_loss: Tensor, x: Tensor, fake: Tensor) -> Tensor:
        """θᴷ, from θ⁰ and the critic's loss there."""
        first_order = self.hyper.first_order
        seen = fake.detach() if first_order else fake
        return unroll(
            lambda later: self.critic_loss(later, x, seen),
            theta,
            critic_loss,
            self.inner_optimizer(),
            steps=self.hyper.unroll,
            first_order=first_order,
        )

    def critic_loss(self, theta: Tensor, x: Tensor, fake: Tensor) -> Tensor:
        """The critic's loss with its parameters taken from a vector."""
        looks = functional_call(self.critic, self._named(theta), (x, fake, self.clock))
        return self.critic_terms(looks, minimax_critic)

    def inner_optimizer(self) -> Adam:
        """The critic's Adam where it stands in this run; fresh where no loop has lent one."""
        return adam_of(
            self.optimizers.get("critic"),
            self.critic.parameters(),
            lr=self.hyper.lr,
            beta1=self.hyper.beta1,
            beta2=self.hyper.beta2,
            eps=EPS,
        )

    def _named(self, theta: Tensor) -> dict[str, Tensor]:
        names, parameters = zip(*self.critic.named_parameters(), strict=True)
        return dict(zip(names, unflatten(theta, parameters), strict=True))
