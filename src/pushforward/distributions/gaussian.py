"""Continuous pixels with one noise scale."""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pushforward.distributions.likelihood import LEVEL_WIDTH, Likelihood, at_least_single, level_edges
from pushforward.distributions.standard import Standard
from pushforward.errors import UserError


class Gaussian(Likelihood):
    """N(f(z), σ²) with one σ for all pixels, on the scale [-1, 1], or for all numbers of a point.

    sigma: a number keeps σ fixed, and maximising the likelihood is then minimising squared error;
    "learned" makes ln σ a parameter; "optimal" takes the maximum-likelihood σ² of each training batch,
    its mean squared error (Rybkin, Daniilidis & Levine 2021, eq. 6), and keeps a running average for
    evaluation. A batch's optimum is not additive over samples: several processes do not equal one.
    sigma_floor: smallest σ of the two that move, half a pixel level by default, so that a density on
    eight-bit pixels cannot run to infinity. momentum: weight of a batch in the running average, which
    starts as the plain average of the batches so far. bounded: whether x lies in [-1, 1], as pixels do and
    points do not. standard: of points in units of their own. `prepare` then standardises, and σ is of
    standardised points; ln p(x|z) and what is decoded are in the data's units.
    """

    bin_width = LEVEL_WIDTH
    log_sigma: Tensor
    batches: Tensor

    def __init__(
        self,
        *,
        sigma: float | Literal["learned", "optimal"] = "optimal",
        sigma_floor: float = LEVEL_WIDTH / 2,
        momentum: float = 0.01,
        bounded: bool = True,
        standard: Standard | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(sigma, str) and not sigma > 0:
            raise UserError(f"sigma: {sigma}; expected a positive number, 'learned' or 'optimal'")
        self.sigma = sigma
        self.momentum = momentum
        self.bounded = bounded
        self.standard = standard
        self.log_floor = math.log(sigma_floor)
        if isinstance(sigma, str):
            start = torch.zeros(())
        else:
            start = torch.tensor(math.log(sigma))
        if sigma == "learned":
            self.log_sigma = nn.Parameter(start)
        else:
            self.register_buffer("log_sigma", start)
        if sigma == "optimal":
            self.register_buffer("batches", torch.zeros(()))

    def prepare(self, x: Float[Tensor, "b *x"]) -> Float[Tensor, "b *x"]:
        """The image as it is; points standardised, where they have units of their own."""
        return x if self.standard is None else self.standard(x)

    def log_prob(self, decoded: Float[Tensor, "b *x"], x: Float[Tensor, "b *x"]) -> Float[Tensor, " b"]:
        """-‖x - f(z)‖²/(2σ²) - D ln σ - (D/2) ln 2π, less Σ ln scale of standardised points; x prepared."""
        squared = (x - at_least_single(decoded)).square().flatten(1)
        log_sigma = self._log_sigma(squared)
        constant = log_sigma + 0.5 * math.log(2 * math.pi)
        standardised = -0.5 * squared.sum(1) * torch.exp(-2 * log_sigma) - squared.shape[1] * constant
        return standardised if self.standard is None else standardised - self.standard.log_volume()

    def log_mass(self, decoded: Float[Tensor, "b *x"], x: Float[Tensor, "b *x"]) -> Float[Tensor, " b"]:
        """Σ ln(Φ((b - f(z))/σ) - Φ((a - f(z))/σ)) for levels from a to b; black and white take the tails."""
        f = decoded.double()
        sigma = self._log_sigma((x - decoded).square().flatten(1)).double().exp()
        a, b = ((edge - f) / sigma for edge in level_edges(x))
        # In the lower tail, where Φ is small and its logarithm exact.
        low, high = torch.where(a + b > 0, -b, a), torch.where(a + b > 0, -a, b)
        top = torch.special.log_ndtr(high)
        each = top + torch.log(-torch.expm1(torch.special.log_ndtr(low) - top))
        return at_least_single(each.flatten(1).sum(1).to(decoded.dtype))

    def _log_sigma(self, squared: Float[Tensor, "b d"]) -> Float[Tensor, ""]:
        if self.sigma == "learned":
            return self._floored()
        if self.sigma == "optimal" and self.training:
            # At the optimum the derivative by σ is zero, so the gradient need not pass through it.
            best = squared.detach().mean().log().mul(0.5).clamp(min=self.log_floor)
            self.batches.add_(1)
            self.log_sigma.lerp_(
                best.to(self.log_sigma.dtype), self.batches.reciprocal().clamp(min=self.momentum)
            )
            return best
        return self.log_sigma

    def _floored(self) -> Float[Tensor, ""]:
        if not self.training:
            return self.log_sigma.clamp(min=self.log_floor)
        # A clamp has no gradient below the floor: σ could never come back. Project the parameter instead.
        self.log_sigma.data.clamp_(min=self.log_floor)
        return self.log_sigma

    def mean(self, decoded: Float[Tensor, "b *x"]) -> Float[Tensor, "b *x"]:
        """f(z), clamped to the valid range."""
        return self._clamped(at_least_single(decoded))

    def sample(self, decoded: Float[Tensor, "b *x"]) -> Float[Tensor, "b *x"]:
        """f(z) + σε, clamped to the valid range."""
        decoded = at_least_single(decoded)
        noise = torch.randn_like(decoded)
        log_sigma = self._floored() if self.sigma == "learned" else self.log_sigma
        return self._clamped(decoded + log_sigma.exp() * noise)

    def _clamped(self, x: Float[Tensor, "b *x"]) -> Float[Tensor, "b *x"]:
        x = x.clamp(-1, 1) if self.bounded else x
        return x if self.standard is None else self.standard.undo(x)
