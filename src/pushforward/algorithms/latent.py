"""What every model with a latent code and a likelihood can do once trained, whatever trained it.

The papers' files add their objective: a `step`, and the players that it moves.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pushforward.core import Algorithm, Draw, Player, Selector, constant, cosine
from pushforward.distributions import Likelihood
from pushforward.distributions.likelihood import at_least_single
from pushforward.errors import UserError
from pushforward.objectives.elbo import (
    bounded_log_var,
    gaussian_kl,
    gaussian_log_prob,
    importance_weighted_bound,
    reparameterize,
)

NEGLIGIBLE = 1e-20  # of the gradient by ln w, which is 1/b for a weight that stands alone


@dataclass(kw_only=True)
class LatentHyperparameters:
    """What every model with a latent code leaves to choose."""

    latent_dim: int = 16
    """Dimensions of z."""
    lr: float = 1e-3
    """Adam's rate, per step."""
    ema: float | None = None
    """Decay per step of averaged weights that are published instead of the last ones; none by default."""
    lr_schedule: Literal["constant", "cosine"] = "constant"
    """How Adam's rate changes over the run: not at all, or down to zero along half a cosine."""

    def player(self, module: nn.Module) -> Player:
        """The player that moves this module by these settings."""
        schedule = cosine if self.lr_schedule == "cosine" else constant
        return Player(module=module, lr=self.lr, ema=self.ema, schedule=schedule)


class LatentVariableModel(Algorithm):
    """p(z) p(x|z) with an amortised posterior q(z|x).

    encoder: images in [-1, 1] -> the parameters of q(z|x). decoder: (b, latent_dim) -> what the
    likelihood expects. Images given to the methods below are as stored; `log_weights` and `divergence`
    take them as prepared by the likelihood.
    """

    selector = Selector("validation_elbo")

    def __init__(
        self, *, encoder: nn.Module, decoder: nn.Module, likelihood: Likelihood, latent_dim: int
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihood
        self.latent_dim = latent_dim

    @abstractmethod
    def sample_prior(self, n: int) -> Float[Tensor, "n d"]:
        """z ~ p(z)."""

    @abstractmethod
    def divergence(self, x: Float[Tensor, "b c h w"]) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b d"]]:
        """The mean of q(z|x), and KL(q(z|x) ‖ p(z)) in nats per dimension."""

    @abstractmethod
    def log_weights(self, x: Float[Tensor, "b c h w"], k: int) -> Float[Tensor, "k b"]:
        """ln p(x, z_i) - ln q(z_i|x) for k draws z_i ~ q(z|x), in nats."""

    def sample(self, n: int) -> Float[Tensor, "n c h w"]:
        """n images, the mean of p(x|z) at z ~ p(z), in [-1, 1]."""
        return self.decode(self.sample_prior(n))

    def encode(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        """The posterior mean of each image."""
        return self.divergence(self.likelihood.prepare(x))[0]

    def decode(self, z: Float[Tensor, "b d"]) -> Float[Tensor, "b c h w"]:
        """The mean of p(x|z), in [-1, 1]."""
        return self.likelihood.mean(self.decoder(z))

    def reconstruct(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Decode the posterior mean."""
        return self.decode(self.encode(x))

    def log_prob(self, x: Float[Tensor, "b c h w"], *, k: int = 100) -> Float[Tensor, " b"]:
        """The importance-weighted lower bound on ln p(x) with k samples, in nats per image."""
        return importance_weighted_bound(self.log_weights(self.likelihood.prepare(x), k))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device


class GaussianLatentModel(LatentVariableModel):
    """z ~ N(0, 1) and q(z|x) = N(μ, σ²); the encoder's 2 x latent_dim outputs are μ and ln σ²."""

    def posterior(self, x: Float[Tensor, "b c h w"]) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b d"]]:
        """μ and ln σ² of q(z|x)."""
        mu, log_var = at_least_single(self.encoder(x)).chunk(2, dim=1)
        return mu, bounded_log_var(log_var)

    def sample_prior(self, n: int) -> Float[Tensor, "n d"]:
        """z ~ N(0, 1)."""
        return torch.randn(n, self.latent_dim, device=self.device, dtype=next(self.parameters()).dtype)

    def divergence(self, x: Float[Tensor, "b c h w"]) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b d"]]:
        """μ, and the closed-form KL in nats per dimension."""
        mu, log_var = self.posterior(x)
        return mu, gaussian_kl(mu, log_var)

    def sample_posterior(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        """z ~ q(z|x), one for each image as stored."""
        return reparameterize(*self.posterior(self.likelihood.prepare(x)))

    def log_weights(self, x: Float[Tensor, "b c h w"], k: int) -> Float[Tensor, "k b"]:
        """ln p(x, z_i) - ln q(z_i|x) for k reparameterized draws z_i ~ q(z|x), in nats."""
        return gaussian_log_weights(self.decoder, self.likelihood, x, *self.posterior(x), k)


@dataclass(kw_only=True)
class MultiSampleHyperparameters(LatentHyperparameters):
    """What every model that is trained on a bound of several samples leaves to choose."""

    k: int = 5
    """Samples of z for each image. A step costs about k times a VAE's; k = 1 is the VAE in expectation."""


class MultiSampleModel(GaussianLatentModel):
    """One that learns from a bound of k samples of z for each image."""

    def __init__(
        self,
        *,
        encoder: nn.Module,
        decoder: nn.Module,
        likelihood: Likelihood,
        hyper: MultiSampleHyperparameters,
    ) -> None:
        super().__init__(encoder=encoder, decoder=decoder, likelihood=likelihood, latent_dim=hyper.latent_dim)
        if hyper.k < 1:
            raise UserError(f"`k`: {hyper.k}; expected at least 1 sample")
        self.hyper = hyper

    def players(self) -> dict[str, Player]:
        """One player: encoder, decoder and likelihood share one loss."""
        return {"vae": self.hyper.player(self)}

    def two_players(self) -> dict[str, Player]:
        """Two that have a loss each: the encoder, and the decoder with the likelihood."""
        return {
            "encoder": self.hyper.player(self.encoder),
            "decoder": self.hyper.player(nn.ModuleList([self.decoder, self.likelihood])),
        }

    def drawn(self, draw: Draw, *, through_z: bool = False) -> Float[Tensor, "k b"]:
        """ln w of k draws for each image of a batch, to learn from; through_z: see `gaussian_log_weights`.

        A weight that is nothing beside the others passes no gradient: it would be lost in a sum, and a CPU
        takes several times as long over the denormal numbers that it makes of whole layers.
        """
        x = self.likelihood.prepare(draw().x)
        mu, log_var = self.posterior(x)
        log_w = gaussian_log_weights(
            self.decoder, self.likelihood, x, mu, log_var, self.hyper.k, through_z=through_z
        )
        log_w.register_hook(lambda grad: grad.masked_fill(grad.abs() < NEGLIGIBLE, 0))
        return log_w

    @staticmethod
    def of_the_draws(log_w: Float[Tensor, "k b"]) -> dict[str, Tensor]:
        """What is logged: the ELBO of these draws, and how many of them count."""
        w = log_w.detach().softmax(0)
        return {"elbo": log_w.detach().mean(), "effective_samples": (1 / w.square().sum(0)).mean()}


def gaussian_log_weights(
    decoder: Callable[[Tensor], Tensor],
    likelihood: Likelihood,
    x: Float[Tensor, "b *x"],
    mu: Float[Tensor, "b d"],
    log_var: Float[Tensor, "b d"],
    k: int,
    *,
    through_z: bool = False,
) -> Float[Tensor, "k b"]:
    """ln p(x, z_i) - ln q(z_i|x) for k reparameterized draws of q = N(μ, σ²), in nats; p(z) = N(0, 1).

    through_z: whether μ and σ get a gradient through z_i alone, and none through the density ln q.
    """
    x_k, mu_k, log_var_k = (t.repeat(k, *[1] * (t.ndim - 1)) for t in (x, mu, log_var))
    z = reparameterize(mu_k, log_var_k)
    if through_z:
        mu_k, log_var_k = mu_k.detach(), log_var_k.detach()
    zero = torch.zeros_like(z)
    log_joint = likelihood.log_prob(decoder(z), x_k) + gaussian_log_prob(z, zero, zero)
    return (log_joint - gaussian_log_prob(z, mu_k, log_var_k)).view(k, len(x))
