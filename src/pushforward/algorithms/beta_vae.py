"""The β-VAE and its relatives: variational autoencoders whose code may carry only so much.

- `beta`: I. Higgins et al., *β-VAE: learning basic visual concepts with a constrained variational framework*,
  ICLR 2017, eq. 4: the multiplier of KL ≤ δ, fixed.
- `delta`: the same constraint, eq. 1-3, with its multiplier learned by dual ascent.
- `capacity`: C. P. Burgess et al., *Understanding disentangling in β-VAE*, 2018, eq. 8.
- `geco`: D. J. Rezende and F. Viola, *Taming VAEs*, 2018, Algorithm 1: the least KL at a given distortion.
- `free_bits`: D. P. Kingma et al., *Improving variational inference with inverse autoregressive flow*, NIPS
  2016, eq. 15.
- `warm_up`: S. R. Bowman et al., *Generating sentences from a continuous space*, 2016, section 3.1.

With D = E[-ln p(x|z)] and R = E[KL(q(z|x) ‖ p(z))], all of them descend D plus a function of R.

Deviations from the papers:
1. Higgins et al. tune β by hand; that its optimal value is the multiplier of a δ is their eq. 3, dual ascent
   is ours. It steps as GECO's does.
2. GECO bounds nats, D ≤ κ, instead of squared error. Its step is η times a violation relative to what the
   KL trades it for, clamped so that λ cannot wind up while the network has yet to learn; the paper leaves
   the scale of the step open. Its λ begins at 1.
3. GECO's running average steps its multiplier alone. The paper puts its value, too, into the loss, which
   changes what is logged but no gradient.
4. Free bits are given to each dimension (a group of one), and warm-up is linear in steps, not a sigmoid.
5. Optimiser and networks are those of `vae`, whatever a paper took.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from pushforward.algorithms.latent import GaussianLatentModel, LatentHyperparameters
from pushforward.core import Clock, Draw, Player, Steps, Update
from pushforward.distributions import Likelihood
from pushforward.errors import UserError
from pushforward.objectives import constraints
from pushforward.objectives.elbo import gaussian_kl, reparameterize

DEFAULT_BETA = 4.0
POSITIVE = {"delta": 20, "capacity": 25, "free_bits": 0.1, "gamma": 1000, "dual_rate": 0.01}
CONSTRAINTS = ("beta", "delta", "capacity", "geco", "free_bits")


@dataclass(kw_only=True)
class BetaVAEHyperparameters(LatentHyperparameters):
    """At most one of beta, delta, capacity, geco and free_bits is given; without any, beta is 4."""

    beta: float | None = None
    """Weight of the KL, fixed; 1 is the VAE. 4 where no other constraint is given."""
    delta: float | None = None
    """Most nats an image that the code may carry (KL ≤ δ); β is learned, and logged as info/beta."""
    capacity: float | None = None
    """Nats an image to which the KL is led, rising linearly from 0 over the run; the paper takes 25."""
    geco: float | None = None
    """Nats an image that -ln p(x|z) may cost, as logged in info/reconstruction; the KL is then made least."""
    free_bits: float | None = None
    """Nats of KL in each latent dimension that cost nothing, so that no dimension collapses."""
    gamma: float = 1000.0
    """Weight of |KL - C| under --capacity."""
    warm_up: float = 0.0
    """Share of the run in which the KL's weight rises from 0, under --beta and --free-bits."""
    dual_rate: float = 0.01
    """Step of ln β at a rate of twice --delta, and of GECO's ln λ at most a tenth of it."""
    dual_average: float = 0.9
    """Decay per step of the running average of the constraint that the multiplier follows."""


class Terms(NamedTuple):
    """The two sides of the bound. distortion: E[-ln p(x|z)]. kl: its mean in nats. kl_of: (b, d)."""

    distortion: Tensor
    kl: Tensor
    kl_of: Tensor


class Constraint(nn.Module, ABC):
    """What becomes of distortion and KL. Its state, if any, is in buffers."""

    @abstractmethod
    def forward(self, terms: Terms, clock: Clock) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss in nats, and what to log of it."""

    def follow(self, info: Mapping[str, Tensor]) -> None:
        """After the gradient step; info: what was logged, averaged over processes."""


class FixedWeight(Constraint):
    """D + β KL, or β Σ max(λ, KL_j) with λ nats free."""

    def __init__(self, beta: float, *, free_bits: float = 0.0, warm_up: float = 0.0) -> None:
        super().__init__()
        self.beta, self.free_bits, self.warm_up = beta, free_bits, warm_up

    def forward(self, terms: Terms, clock: Clock) -> tuple[Tensor, dict[str, Tensor]]:
        """The weight rises with the clock during the warm-up."""
        beta = self.beta * constraints.warm_up(clock.fraction, share=self.warm_up)
        kl = constraints.free_bits(terms.kl_of, nats=self.free_bits) if self.free_bits else terms.kl
        return terms.distortion + beta * kl, {"beta": torch.full_like(terms.kl, beta)}


class Capacity(Constraint):
    """D + γ |KL - C(t)|, with C rising linearly from 0 to `nats` over the run."""

    def __init__(self, nats: float, *, gamma: float) -> None:
        super().__init__()
        self.nats, self.gamma = nats, gamma

    def forward(self, terms: Terms, clock: Clock) -> tuple[Tensor, dict[str, Tensor]]:
        """C is read off the clock."""
        c = self.nats * clock.fraction
        loss = terms.distortion + constraints.capacity_penalty(terms.kl, c, gamma=self.gamma)
        return loss, {"capacity": torch.full_like(terms.kl, c), "feasibility": terms.kl - c}


class Learned(Constraint):
    """A multiplier that follows the running average of its constraint. Abstract."""

    log_multiplier: Tensor
    totals: Tensor
    weight: Tensor

    def __init__(self, bound: float, *, rate: float, average: float) -> None:
        super().__init__()
        self.bound, self.rate, self.average = bound, rate, average
        self.register_buffer("log_multiplier", torch.zeros(()))
        self.register_buffer("totals", torch.zeros(2))
        self.register_buffer("weight", torch.zeros(()))

    @abstractmethod
    def violation(self, distortion: Tensor, kl: Tensor) -> Tensor:
        """Relative to the bound; positive where the constraint is not kept."""

    def follow(self, info: Mapping[str, Tensor]) -> None:
        """Average what was seen, and climb. Without a synchronisation: all of it stays on the device."""
        seen = torch.stack([info["reconstruction"], info["kl"]])
        totals, weight = constraints.moving_average(self.totals, self.weight, seen, decay=self.average)
        self.totals.copy_(totals)
        self.weight.copy_(weight)
        violation = self.violation(*(totals / weight))
        self.log_multiplier.copy_(constraints.ascend(self.log_multiplier, violation, rate=self.rate))


class RateBound(Learned):
    """D + β (KL - δ), β learned."""

    def forward(self, terms: Terms, clock: Clock) -> tuple[Tensor, dict[str, Tensor]]:
        """Logs feasibility KL - δ (at most 0 where kept) and slackness β (KL - δ) (0 at the optimum)."""
        beta, feasibility = self.log_multiplier.exp(), terms.kl - self.bound
        slackness = beta * feasibility
        info = {"beta": beta, "feasibility": feasibility, "slackness": slackness}
        return terms.distortion + slackness, info

    def violation(self, distortion: Tensor, kl: Tensor) -> Tensor:
        """(KL - δ)/δ."""
        return constraints.relative_rate_excess(kl, self.bound)


class DistortionBound(Learned):
    """KL + λ (D - κ), λ learned."""

    def forward(self, terms: Terms, clock: Clock) -> tuple[Tensor, dict[str, Tensor]]:
        """Logs feasibility D - κ, slackness λ (D - κ), and β = 1/λ, which is what a β-VAE would need."""
        lambda_, feasibility = self.log_multiplier.exp(), terms.distortion - self.bound
        slackness = lambda_ * feasibility
        info = {"beta": 1 / lambda_, "feasibility": feasibility, "slackness": slackness}
        return terms.kl + slackness, info

    def violation(self, distortion: Tensor, kl: Tensor) -> Tensor:
        """λ (D - κ)/KL."""
        return constraints.relative_distortion_excess(
            distortion, self.bound, kl=kl, log_multiplier=self.log_multiplier
        )


class BetaVAE(GaussianLatentModel):
    """A VAE under a constraint on its KL, or on its reconstructions."""

    def __init__(
        self,
        *,
        encoder: nn.Module,
        decoder: nn.Module,
        likelihood: Likelihood,
        hyper: BetaVAEHyperparameters,
    ) -> None:
        super().__init__(encoder=encoder, decoder=decoder, likelihood=likelihood, latent_dim=hyper.latent_dim)
        self.hyper = hyper
        self.constraint = constraint_of(hyper)

    def players(self) -> dict[str, Player]:
        """One player: encoder, decoder and likelihood share one loss."""
        return {"vae": self.hyper.player(self)}

    def step(self, draw: Draw) -> Steps:
        """Descend distortion and KL as the constraint joins them; then the multiplier follows."""
        x = self.likelihood.prepare(draw().x)
        mu, log_var = self.posterior(x)
        z = reparameterize(mu, log_var)
        distortion = -self.likelihood.log_prob(self.decoder(z), x).mean()
        kl_of = gaussian_kl(mu, log_var)
        terms = Terms(distortion, kl_of.sum(1).mean(), kl_of)
        loss, info = self.constraint(terms, self.clock)
        info = yield Update({"vae": loss}, {"kl": terms.kl, "reconstruction": distortion, **info})
        self.constraint.follow(info)


def constraint_of(hyper: BetaVAEHyperparameters) -> Constraint:
    """The constraint that was asked for. Raises UserError for two at once, or for one that cannot be kept."""
    _check(hyper)
    dual = {"rate": hyper.dual_rate, "average": hyper.dual_average}
    if hyper.delta is not None:
        return RateBound(hyper.delta, **dual)
    if hyper.geco is not None:
        return DistortionBound(hyper.geco, **dual)
    if hyper.capacity is not None:
        return Capacity(hyper.capacity, gamma=hyper.gamma)
    if hyper.free_bits is not None:
        return FixedWeight(1.0, free_bits=hyper.free_bits, warm_up=hyper.warm_up)
    return FixedWeight(DEFAULT_BETA if hyper.beta is None else hyper.beta, warm_up=hyper.warm_up)


def _check(hyper: BetaVAEHyperparameters) -> None:
    given = [f"`{n}`" for n in CONSTRAINTS if getattr(hyper, n) is not None]
    if len(given) > 1:
        raise UserError(f"{' and '.join(given)}: each of them constrains the KL; give one")
    for name, example in POSITIVE.items():
        value = getattr(hyper, name)
        if value is not None and not value > 0:
            option = f"`{name}`"
            raise UserError(f"{option}: {value}; expected a positive number, such as {option} {example}")
    if hyper.beta is not None and not hyper.beta >= 0:
        raise UserError(f"`beta`: {hyper.beta}; expected 0 or more (1 is the VAE)")
    if not 0 <= hyper.warm_up <= 1:
        raise UserError(f"`warm_up`: {hyper.warm_up}; expected a share of the run, from 0 to 1")
    if hyper.warm_up and given and given[0] not in ("`beta`", "`free_bits`"):
        raise UserError(f"`warm_up`: {given[0]} sets the KL's weight by itself; leave `warm_up` out")
    if not 0 <= hyper.dual_average < 1:
        raise UserError(f"`dual_average`: {hyper.dual_average}; expected a decay from 0 to below 1")
