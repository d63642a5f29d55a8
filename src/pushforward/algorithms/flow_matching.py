"""Flow matching on straight paths: a velocity that carries noise to data, learned by regression.

Y. Lipman, R. T. Q. Chen, H. Ben-Hamu, M. Nickel and M. Le, *Flow Matching for Generative Modeling*, ICLR
2023: eq. 23, the path of optimal transport. With σ_min = 0, the default, it is the first rectified flow of
X. Liu, C. Gong and Q. Liu, *Flow Straight and Fast: Learning to Generate and Transfer Data with Rectified
Flow*, ICLR 2023, eq. 1.

Deviations from the papers:
1. σ_min is 0 as in Liu et al.; Lipman et al. have a small positive one, which is an option here.
2. A fixed-step solver instead of an adaptive one (dopri5, RK45), so that the cost is known.
3. The loss is a mean over the numbers of x instead of their sum: it compares between sizes, and Adam does not
   see the factor.
4. Networks, rate and averaging are the recipe's, for small networks on a CPU. There is no second training on
   the flow's own pairs (reflow) and no distillation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pushforward.core import Algorithm, Draw, Player, Steps, Update, constant, cosine
from pushforward.distributions import dequantize
from pushforward.distributions.likelihood import at_least_single
from pushforward.distributions.standard import standard_of
from pushforward.errors import UserError
from pushforward.objectives.elbo import gaussian_log_prob
from pushforward.objectives.flow_matching import flow_matching_loss, logit_normal_times, uniform_times
from pushforward.objectives.ode import (
    Solver,
    exact_divergence,
    hutchinson_divergence,
    integrate,
    rademacher,
    transported_log_prob,
)

EVALUATIONS = {"euler": 1, "midpoint": 2, "heun": 2, "rk4": 4}  # of the velocity, in a step
EXACT_UP_TO = 256  # numbers in x, for each of which an exact divergence costs a product


@dataclass(kw_only=True)
class FlowMatchingHyperparameters:
    """What the papers leave to choose."""

    lr: float = 1e-3
    """Adam's rate, per step."""
    ema: float | None = 0.999
    """Decay per step of averaged weights that are published instead of the last ones."""
    lr_schedule: Literal["constant", "cosine"] = "constant"
    """How Adam's rate changes over the run: not at all, or down to zero along half a cosine."""
    sigma_min: float = 0.0
    """Standard deviation that a path keeps around its datum, in the data's units (Lipman's σ_min)."""
    time_draws: Literal["uniform", "logit-normal"] = "uniform"
    """How training draws t: uniform, or logit-normal, which dwells on the middle (Esser et al. 2024)."""
    solver: Literal["euler", "midpoint", "heun", "rk4"] = "midpoint"
    """What integrates the velocity: 1, 2, 2 or 4 evaluations a step, of order 1, 2, 2 or 4."""
    sampler_steps: int = 50
    """Steps of the solver from noise to data, and back."""
    dequantize: bool = True
    """Add uniform noise as wide as a level to eight-bit pixels in training, without which their density has
    no upper bound. Points stay as they are."""

    def check(self) -> None:
        """Raise UserError at the first value that cannot be."""
        if not 0 <= self.sigma_min < 1:
            raise UserError(f"`sigma_min`: {self.sigma_min}; expected a small deviation, 0 or more, under 1")
        if self.sampler_steps < 1:
            raise UserError(f"`sampler_steps`: {self.sampler_steps}; expected at least 1")


class FlowMatching(Algorithm):
    """network: v(x, t) of states (b, *x) at times (b,). shape: of x, (channels, height, width) or (d,).

    The code of x is the noise z ~ N(0, I) that the flow carries to it, flattened: d numbers. Code and datum
    determine each other, up to the error of the solver.
    """

    def __init__(
        self, *, network: nn.Module, shape: tuple[int, ...], hyper: FlowMatchingHyperparameters
    ) -> None:
        super().__init__()
        hyper.check()
        self.network = network
        self.shape = shape
        self.standard = standard_of(shape)
        self.hyper = hyper
        self.latent_dim = math.prod(shape)
        self.passes = EVALUATIONS[hyper.solver] * hyper.sampler_steps

    def players(self) -> dict[str, Player]:
        """One: the velocity."""
        hyper = self.hyper
        schedule = cosine if hyper.lr_schedule == "cosine" else constant
        return {"velocity": Player(module=self.network, lr=hyper.lr, ema=hyper.ema, schedule=schedule)}

    def step(self, draw: Draw) -> Steps:
        """Regress on the velocity of the straight path from x0 ~ N(0, I) to the datum x1, at random times."""
        x1 = self._standardised(draw().x)
        if self.hyper.dequantize and len(self.shape) == 3:
            x1 = dequantize(x1)
        x0 = torch.randn_like(x1)
        t = uniform_times(x1) if self.hyper.time_draws == "uniform" else logit_normal_times(x1)
        loss = flow_matching_loss(self.network, x0, x1, t, sigma_min=self.hyper.sigma_min).mean()
        yield Update({"velocity": loss})

    def velocity(self, x: Float[Tensor, "b *x"], t: Float[Tensor, ""]) -> Float[Tensor, "b *x"]:
        """v(x, t), all rows at one time."""
        return at_least_single(self.network(x, t.expand(len(x))))

    def sample_prior(self, n: int) -> Float[Tensor, "n d"]:
        """z ~ N(0, I), the noise that becomes a sample."""
        like = next(self.network.parameters())
        return torch.randn(n, self.latent_dim, device=like.device, dtype=like.dtype)

    @torch.no_grad()
    def sample(self, n: int) -> Float[Tensor, "n *x"]:
        """n images in [-1, 1], or points. Records no graph."""
        return self.decode(self.sample_prior(n))

    def encode(self, x: Float[Tensor, "b *x"]) -> Float[Tensor, "b d"]:
        """The noise that the flow carries to each x, found by going back."""
        return self._integrate(self._standardised(x), start=1.0, end=0.0).flatten(1)

    def decode(self, z: Float[Tensor, "b d"]) -> Float[Tensor, "b *x"]:
        """Where the flow carries each noise; images are clamped to [-1, 1]."""
        x = self._integrate(z.view(-1, *self.shape), start=0.0, end=1.0)
        return x.clamp(-1, 1) if self.standard is None else self.standard.undo(x)

    def reconstruct(self, x: Float[Tensor, "b *x"]) -> Float[Tensor, "b *x"]:
        """Back to noise and forth again: x up to the solver's error, and the clamp."""
        return self.decode(self.encode(x))

    def log_prob(
        self, x: Float[Tensor, "b *x"], *, steps: int | None = None, solver: Solver = "rk4", probes: int = 1
    ) -> Float[Tensor, " b"]:
        """ln p(x) in nats, of the density at x as given, by the change of variables along the flow.

        Up to 256 numbers in x the divergence is exact, and the only error is the solver's: see that more
        steps change nothing. Beyond, as for most images, it is Hutchinson's unbiased estimate from `probes`
        draws of random signs: each value is random, and right on average.

        Of images it is a density on the scale [-1, 1], of pixels that training made continuous by noise. At
        an eight-bit image itself it is one value of that density, and no probability of the image. A lower
        bound on ln P of the image is the mean of `log_prob(dequantize(x))` plus d ln(2/255). Trained without
        the noise (`dequantize` off), a better fit piles density on the 256 levels without bound, and the
        number means nothing.

        steps: of the integration, `sampler_steps` by default. solver: by default a finer one than a sampler
        needs, since an error in ln p is not seen.
        """
        exact = self.latent_dim <= EXACT_UP_TO
        log_volume = 0.0 if self.standard is None else self.standard.log_volume()
        standardised = transported_log_prob(
            self.velocity,
            self._standardised(x),
            _standard_normal,
            steps=steps or self.hyper.sampler_steps,
            solver=solver,
            divergence=exact_divergence if exact else hutchinson_divergence(rademacher(probes, x)),
        )
        return standardised - log_volume

    def _standardised(self, x: Tensor) -> Tensor:
        return x if self.standard is None else self.standard(x)

    def _integrate(self, x: Tensor, *, start: float, end: float) -> Tensor:
        hyper = self.hyper
        return integrate(
            self.velocity, x, steps=hyper.sampler_steps, solver=hyper.solver, start=start, end=end
        )


def _standard_normal(x: Tensor) -> Tensor:
    zero = torch.zeros_like(x).flatten(1)
    return gaussian_log_prob(x.flatten(1), zero, zero)
