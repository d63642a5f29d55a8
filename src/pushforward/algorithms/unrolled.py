"""The unrolled GAN.

L. Metz, B. Poole, D. Pfau and J. Sohl-Dickstein, *Unrolled Generative Adversarial Networks*, ICLR 2017,
eq. 7 to 12.

The generator descends the whole value of the game, E ln D(x) + E ln(1 - D(G(z))), at the critic θᴷ that K
further steps would lead to, and is differentiated through those steps, Adam's moments included. So the real
data have their part in it: E ln D(x; θᴷ) depends on the generator through θᴷ. `--first-order` holds θᴷ
constant: the generator then only meets the later critic, and the real data's term gives no gradient.

Deviations from the paper:
1. The inner optimiser starts from the critic's moments as they are, as in the authors' code; the paper's
   eq. 7 has plain gradient steps.
2. All K inner steps see the same real batch and the same z, as in the authors' code.

Several processes do not equal one here: each unrolls the critic on its own share of the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.func import functional_call

from pushforward.algorithms.adversarial import (
    AdversarialHyperparameters,
    AdversarialModel,
    critic_step,
    critic_terms,
    refuse_batch_norm,
)
from pushforward.core import Draw, Steps
from pushforward.errors import UserError
from pushforward.objectives.adversarial import minimax_critic
from pushforward.objectives.unroll import Adam, adam_of, flatten, unflatten, unroll
from pushforward.views import Look, ViewedCritic
from pushforward.views.critic import weighted_sum

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
                f"`unroll`: {self.unroll}; expected at least 1 step, or the method 'gan' for none"
            )
        if self.n_critic != 1:
            raise UserError(f"`n_critic`: {self.n_critic}; the unrolled critic takes 1 real step")


class UnrolledGAN(AdversarialModel):
    """Goodfellow's game against the critic of K steps later."""

    threshold = 0.0
    sigmoid = True
    hyper: UnrolledHyperparameters

    def __init__(self, *, generator: nn.Module, critic: ViewedCritic, hyper: UnrolledHyperparameters) -> None:
        refuse_batch_norm(critic, "a critic that is scored with weights it does not have yet")
        super().__init__(generator=generator, critic=critic, hyper=hyper)

    def step(self, draw: Draw) -> Steps:
        """The critic steps once from θ⁰; the generator down the value at θᴷ, both at once."""
        x = draw().x
        fake = self.generate(len(x))
        theta = flatten(self._learning().values())
        looks = self.looks(theta, x, fake)
        later = self.looks(self.unrolled(theta, looks, x, fake), x, fake)
        yield from critic_step(looks, minimax_critic, others={"generator": value(later)})

    def unrolled(self, theta: Tensor, looks: Sequence[Look], x: Tensor, fake: Tensor) -> Tensor:
        """θᴷ, from θ⁰ and what the critic sees with it."""
        first_order = self.hyper.first_order
        seen = fake.detach() if first_order else fake
        return unroll(
            lambda later: critic_terms(self.looks(later, x, seen), minimax_critic),
            theta,
            critic_terms(looks, minimax_critic),
            self.inner_optimizer(),
            steps=self.hyper.unroll,
            first_order=first_order,
        )

    def looks(self, theta: Tensor, x: Tensor | None, fake: Tensor) -> list[Look]:
        """What the critic sees with its parameters taken from a vector."""
        looks: list[Look] = functional_call(self.critic, self._named(theta), (x, fake, self.clock))
        return looks

    def inner_optimizer(self) -> Adam:
        """The critic's Adam where it stands in this run; fresh where no loop has lent one."""
        return adam_of(
            self.optimizers.get("critic"),
            self._learning().values(),
            lr=self.hyper.lr,
            beta1=self.hyper.beta1,
            beta2=self.hyper.beta2,
            eps=EPS,
        )

    def _named(self, theta: Tensor) -> dict[str, Tensor]:
        learning = self._learning()
        return dict(zip(learning, unflatten(theta, learning.values()), strict=True))

    def _learning(self) -> dict[str, nn.Parameter]:
        """The critic's parameters that move."""
        return {name: p for name, p in self.critic.named_parameters() if p.requires_grad}


def value(looks: Sequence[Look]) -> Tensor:
    """E ln D(x) + E ln(1 - D(G(z))), the whole of it, as the generator weighs its views."""
    weights = [look.weight_generator for look in looks]
    return weighted_sum(weights, (-minimax_critic(*look.pair()) for look in looks))
