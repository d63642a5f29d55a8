"""Latent codes by family: what an encoder's outputs mean, what the prior is, and the divergence between them.

A code's coordinates are the numbers that a decoder takes: d Gaussian or Bernoulli variables, or d categorical
ones as d x K one-hot entries. The encoder gives `outputs` numbers for each coordinate.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Bernoulli, Distribution, Independent, Normal, OneHotCategorical

from pushforward.objectives.elbo import bounded_log_var, gaussian_kl
from pushforward.objectives.estimators.contract import unchecked

Latent = Literal["gaussian", "bernoulli", "categorical"]
Prior = Literal["uniform", "learned"]


class Code(nn.Module, ABC):
    """A family of q(z|x) and its prior p(z), coordinates independent.

    outputs: of the encoder for each coordinate. coordinates: numbers that the decoder takes.
    """

    outputs: int = 1

    def __init__(self, coordinates: int) -> None:
        super().__init__()
        self.coordinates = coordinates

    @abstractmethod
    def posterior(self, encoded: Float[Tensor, "b o"]) -> Distribution:
        """q(z|x), batch shape (b,), from the encoder's outputs; its draws flatten to (b, coordinates)."""

    @abstractmethod
    def prior(self) -> Distribution:
        """p(z), no batch shape."""

    @abstractmethod
    def divergence(self, encoded: Float[Tensor, "b o"]) -> tuple[Tensor, Tensor]:
        """E_q[z] and KL(q(z|x) ‖ p(z)) in nats, both per coordinate: (b, coordinates)."""

    @abstractmethod
    def mode(self, encoded: Float[Tensor, "b o"]) -> Float[Tensor, "b d"]:
        """The most likely z."""


class GaussianCode(Code):
    """z ~ N(0, 1), q = N(μ, σ²); the encoder's outputs are μ, then ln σ²."""

    outputs = 2
    zero: Tensor

    def __init__(self, variables: int) -> None:
        super().__init__(variables)
        self.register_buffer("zero", torch.zeros(variables), persistent=False)

    def posterior(self, encoded: Float[Tensor, "b o"]) -> Distribution:
        """N(μ, σ²)."""
        mu, log_var = self._split(encoded)
        factors = unchecked(Normal, loc=mu, scale=torch.exp(0.5 * log_var))
        return Independent(factors, 1, validate_args=False)

    def prior(self) -> Distribution:
        """N(0, 1)."""
        factors = unchecked(Normal, loc=self.zero, scale=torch.ones_like(self.zero))
        return Independent(factors, 1, validate_args=False)

    def divergence(self, encoded: Float[Tensor, "b o"]) -> tuple[Tensor, Tensor]:
        """μ, and the closed-form KL."""
        mu, log_var = self._split(encoded)
        return mu, gaussian_kl(mu, log_var)

    def mode(self, encoded: Float[Tensor, "b o"]) -> Float[Tensor, "b d"]:
        """μ."""
        return self._split(encoded)[0]

    def _split(self, encoded: Float[Tensor, "b o"]) -> tuple[Tensor, Tensor]:
        mu, log_var = encoded.chunk(2, dim=1)
        return mu, bounded_log_var(log_var)


class DiscreteCode(Code):
    """What Bernoulli and categorical codes share: the prior's logits, fixed at 0 or learned. Abstract."""

    prior_logits: Tensor

    def __init__(self, variables: tuple[int, ...], prior: Prior) -> None:
        logits = torch.zeros(variables)
        super().__init__(logits.numel())
        self.variables = variables
        if prior == "learned":
            self.prior_logits = nn.Parameter(logits)
        else:
            self.register_buffer("prior_logits", logits, persistent=False)

    @abstractmethod
    def harden(self, relaxed: Float[Tensor, "*n z"]) -> Float[Tensor, "*n z"]:
        """The discrete value that a relaxed draw rounds to."""

    def _logits(self, encoded: Float[Tensor, "b o"]) -> Tensor:
        return encoded.unflatten(1, self.variables)


class BernoulliCode(DiscreteCode):
    """Bits; the encoder's outputs are their logits."""

    def __init__(self, variables: int, prior: Prior) -> None:
        super().__init__((variables,), prior)

    def posterior(self, encoded: Float[Tensor, "b o"]) -> Distribution:
        """Bernoulli(sigmoid(logits))."""
        factors = unchecked(Bernoulli, logits=self._logits(encoded))
        return Independent(factors, 1, validate_args=False)

    def prior(self) -> Distribution:
        """A fair coin for each bit, or the learned one."""
        return Independent(unchecked(Bernoulli, logits=self.prior_logits), 1, validate_args=False)

    def divergence(self, encoded: Float[Tensor, "b o"]) -> tuple[Tensor, Tensor]:
        """p, and p (l - l₀) - softplus(l) + softplus(l₀) with the logits l of q and l₀ of the prior."""
        p = encoded.sigmoid()
        kl = p * (encoded - self.prior_logits) - F.softplus(encoded) + F.softplus(self.prior_logits)
        return p, kl

    def mode(self, encoded: Float[Tensor, "b o"]) -> Float[Tensor, "b d"]:
        """1 where p > ½."""
        return (encoded > 0).to(encoded.dtype)

    def harden(self, relaxed: Float[Tensor, "*n z"]) -> Float[Tensor, "*n z"]:
        """1 where the draw is above ½."""
        return (relaxed > 0.5).to(relaxed.dtype)


class CategoricalCode(DiscreteCode):
    """One-hot vectors of K classes; the encoder's outputs are their logits, variable by variable."""

    def __init__(self, variables: int, categories: int, prior: Prior) -> None:
        super().__init__((variables, categories), prior)

    def posterior(self, encoded: Float[Tensor, "b o"]) -> Distribution:
        """One-hot with probabilities softmax(logits), event shape (variables, K)."""
        factors = unchecked(OneHotCategorical, logits=self._logits(encoded))
        return Independent(factors, 1, validate_args=False)

    def prior(self) -> Distribution:
        """Uniform, or learned."""
        return Independent(unchecked(OneHotCategorical, logits=self.prior_logits), 1, validate_args=False)

    def divergence(self, encoded: Float[Tensor, "b o"]) -> tuple[Tensor, Tensor]:
        """q, and q ln(q/p) - q + p for each entry: not negative, adding up to each KL."""
        log_q, log_p = self._logits(encoded).log_softmax(-1), self.prior_logits.log_softmax(-1)
        q = log_q.exp()
        kl = q * (log_q - log_p) - q + log_p.exp()
        return q.flatten(1), kl.flatten(1)

    def mode(self, encoded: Float[Tensor, "b o"]) -> Float[Tensor, "b d"]:
        """One-hot at the largest probability."""
        return self.harden(self._logits(encoded)).flatten(1)

    def harden(self, relaxed: Float[Tensor, "*n z"]) -> Float[Tensor, "*n z"]:
        """One-hot at the largest entry."""
        return F.one_hot(relaxed.argmax(-1), relaxed.shape[-1]).to(relaxed.dtype)


def make_code(latent: Latent, variables: int, *, categories: int, prior: Prior) -> Code:
    """The code of that family. categories: K of a categorical. prior: of a discrete one."""
    match latent:
        case "gaussian":
            return GaussianCode(variables)
        case "bernoulli":
            return BernoulliCode(variables, prior)
        case "categorical":
            return CategoricalCode(variables, categories, prior)
