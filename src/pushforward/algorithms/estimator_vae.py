"""A variational autoencoder with discrete or Gaussian codes, and any estimator of its encoder's gradient.

E. Jang, S. Gu and B. Poole, *Categorical reparameterization with Gumbel-Softmax*, ICLR 2017, section 4.2, for
the models and the default estimator; each estimator's own paper is named in `objectives.estimators`. VIMCO
maximises another bound: A. Mnih and D. J. Rezende, *Variational inference for Monte Carlo objectives*, ICML
2016.

Deviations from Jang et al.:
1. The KL is in closed form for every estimator, also under the relaxed one: only E_q[ln p(x|z)] is estimated.
2. Adam with rate 1e-3 instead of SGD with momentum and a rate found by search.
3. ReLU networks of the recipe's own widths.
4. The prior of a categorical code is uniform, in closed form, where the authors' code also relaxes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Distribution

from pushforward.algorithms.codes import Code, DiscreteCode
from pushforward.algorithms.latent import LatentHyperparameters, LatentVariableModel
from pushforward.core import Draw, Player, Steps, Update
from pushforward.distributions import Likelihood
from pushforward.distributions.likelihood import at_least_single
from pushforward.objectives.bounds import decoder_log_likelihood
from pushforward.objectives.estimators import FUNCTIONS, MovingAverage, annealed_temperature, vimco

TEMPERED = ("gumbel-softmax", "straight-through-gumbel")


@dataclass(kw_only=True)
class EstimatorHyperparameters(LatentHyperparameters):
    """What the papers leave to choose."""

    latent: Literal["gaussian", "bernoulli", "categorical"] = "categorical"
    """What z is made of: latent-dim Gaussians, as many bits, or as many choices among classes."""
    categories: int = 10
    """Classes of each categorical latent."""
    prior: Literal["uniform", "learned"] = "uniform"
    """Prior of discrete latents: all values alike, or learned. A gaussian latent has N(0, 1)."""
    estimator: (
        Literal[
            "pathwise",
            "gumbel-softmax",
            "straight-through-gumbel",
            "straight-through",
            "score-function",
            "nvil",
            "rloo",
            "muprop",
            "rebar",
            "relax",
            "arm",
            "disarm",
            "measure-valued",
            "exact",
            "vimco",
        ]
        | None
    ) = None
    """How the encoder's gradient is estimated. Default: pathwise for gaussian latents, gumbel-softmax for
    discrete ones."""
    samples: int = 1
    """Draws of z for each image, decoded in one batch."""
    decoder_samples: int | None = None
    """Of those, how many the decoder learns from under score-function, nvil and rloo; all by default. The
    encoder learns from all: the others are decoded without a backward pass."""
    k: int | None = None
    """Draws in the bound that vimco maximises, 5 by default; of no other estimator."""
    temperature: float = 1.0
    """τ of gumbel-softmax and straight-through-gumbel at the first step."""
    temperature_rate: float = 1e-4
    """τ falls as exp(-rate x step), per step; 0 keeps it."""
    temperature_floor: float = 0.5
    """τ falls no lower."""
    temperature_every: int = 500
    """Steps between changes of τ."""

    @property
    def chosen_estimator(self) -> str:
        """The estimator asked for, or the latent's default."""
        return self.estimator or ("pathwise" if self.latent == "gaussian" else "gumbel-softmax")


class EstimatorVAE(LatentVariableModel):
    """A VAE whose code and estimator are chosen apart.

    control: what the estimator learns besides, if it does: NVIL's baseline, images -> (b,), or REBAR's and
    RELAX's `RelaxControl`. It is the player "control", which shares the loss and its one backward pass.
    """

    def __init__(
        self,
        *,
        encoder: nn.Module,
        decoder: nn.Module,
        likelihood: Likelihood,
        code: Code,
        control: nn.Module | None = None,
        hyper: EstimatorHyperparameters,
    ) -> None:
        super().__init__(encoder=encoder, decoder=decoder, likelihood=likelihood, latent_dim=code.coordinates)
        self.code = code
        self.control = control
        self.hyper = hyper
        self.level = MovingAverage()  # of -ln p(x|z): the part of a baseline that depends on nothing

    def players(self) -> dict[str, Player]:
        """The model, and the estimator's control where it has one."""
        model = nn.ModuleList([self.encoder, self.decoder, self.likelihood, self.code])
        players = {"vae": self.hyper.player(model)}
        if self.control is not None:
            players["control"] = replace(self.hyper.player(self.control), ema=None)
        return players

    @property
    def temperature(self) -> float:
        """τ = max(floor, τ₀ exp(-rate·t)), a function of the clock alone."""
        h = self.hyper
        return h.temperature * annealed_temperature(
            self.clock.step,
            rate=h.temperature_rate,
            floor=h.temperature_floor / h.temperature,
            every=h.temperature_every,
        )

    def step(self, draw: Draw) -> Steps:
        """Maximise E_q[ln p(x|z)] - KL(q(z|x) ‖ p(z)), or VIMCO's bound of k draws."""
        x = self.likelihood.prepare(draw().x)
        if self.hyper.chosen_estimator == "vimco":
            yield self._bound_update(x)
            return
        encoded = self._encoded(x)
        objective = NegativeLogLikelihood(self, x)
        q = self.code.posterior(encoded)
        name = self.hyper.chosen_estimator
        estimate = FUNCTIONS[name](objective, self.hyper.samples, q, **self._settings(name, objective, x, q))
        reconstruction = estimate.surrogate / len(x)
        kl = self.code.divergence(encoded)[1].sum(1).mean()
        loss = kl + reconstruction
        info = {"kl": kl, "reconstruction": reconstruction, **self._temperature_info(objective, loss, kl)}
        seen = yield Update(dict.fromkeys(self.players(), loss), {k: v.detach() for k, v in info.items()})
        self.level.update(seen["reconstruction"])

    def _settings(
        self, name: str, objective: NegativeLogLikelihood, x: Tensor, q: Distribution
    ) -> dict[str, Any]:
        """What the estimator takes besides the function, the number of draws and q."""
        match name:
            case "score-function":
                return {"baseline": self._level(objective, q)}
            case "nvil":
                return {"baseline": self.control, "context": x, "constant": self._level(objective, q)}
            case "rebar" | "relax":
                return {"control": self.control}
            case _:
                return {"temperature": self.temperature} if name in TEMPERED else {}

    def _level(self, objective: NegativeLogLikelihood, q: Distribution) -> Tensor:
        """The mean of past values; before there are any, that of draws of its own."""
        if self.clock.step:
            return self.level()
        with torch.no_grad():
            return objective(q.sample(torch.Size((1,)))).mean()

    def _temperature_info(
        self, objective: NegativeLogLikelihood, loss: Tensor, kl: Tensor
    ) -> Mapping[str, Tensor]:
        """τ, and where z was relaxed the bound as it was trained beside that of the same draws made hard."""
        name = self.hyper.chosen_estimator
        if name not in TEMPERED:
            return {}
        info = {"temperature": torch.full((), self.temperature, device=self.device)}
        if name == "gumbel-softmax":
            info |= {"elbo_relaxed": -loss, "elbo_discrete": -kl - objective.hardened().mean()}
        return info

    def _bound_update(self, x: Float[Tensor, "b c h w"]) -> Update:
        log_w, log_q = self._weigh(x, self.hyper.k or 5)
        loss = -vimco(log_w, log_q) / len(x)
        w = log_w.detach().softmax(0)
        info = {"elbo": log_w.detach().mean(), "effective_samples": (1 / w.square().sum(0)).mean()}
        return Update({"vae": loss}, info)

    def _encoded(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b o"]:
        return at_least_single(self.encoder(x))

    def _weigh(self, x: Tensor, k: int) -> tuple[Float[Tensor, "k b"], Float[Tensor, "k b"]]:
        """ln w and ln q(z|x) of k hard draws."""
        q = self.code.posterior(self._encoded(x))
        z = q.sample(torch.Size((k,)))
        log_q = q.log_prob(z)
        return self.log_likelihood(z, x) + self.code.prior().log_prob(z) - log_q, log_q

    def log_likelihood(self, z: Float[Tensor, "k b *z"], x: Float[Tensor, "b c h w"]) -> Float[Tensor, "k b"]:
        """ln p(x|z) in nats of k codes for each image, decoded in one batch."""
        of_z = decoder_log_likelihood(lambda flat: self.decoder(flat.flatten(1)), self.likelihood.log_prob, x)
        return of_z(z)

    def sample_prior(self, n: int) -> Float[Tensor, "n d"]:
        """z ~ p(z), hard."""
        return self.code.prior().sample(torch.Size((n,))).flatten(1)

    def prior_moments(self) -> tuple[Float[Tensor, " d"], Float[Tensor, " d"]]:
        """Mean and standard deviation of the prior of each coordinate."""
        prior = self.code.prior()
        return prior.mean.flatten(), prior.variance.sqrt().flatten()

    def sample_posterior(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        """z ~ q(z|x), hard, one for each image as stored."""
        return self.code.posterior(self._encoded(self.likelihood.prepare(x))).sample().flatten(1)

    def encode(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        """The most likely code of each image: zeros and ones where z is discrete."""
        return self.code.mode(self._encoded(self.likelihood.prepare(x)))

    def divergence(self, x: Float[Tensor, "b c h w"]) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b d"]]:
        """The mean of q(z|x), probabilities where z is discrete, and the KL in nats per coordinate."""
        return self.code.divergence(self._encoded(x))

    def log_weights(self, x: Float[Tensor, "b c h w"], k: int) -> Float[Tensor, "k b"]:
        """ln p(x, z_i) - ln q(z_i|x) for k hard draws z_i ~ q(z|x), in nats."""
        return self._weigh(x, k)[0]


class NegativeLogLikelihood:
    """f(z) = -ln p(x|z), in nats: what the estimators are given. It remembers where it was last evaluated."""

    def __init__(self, model: EstimatorVAE, x: Float[Tensor, "b c h w"]) -> None:
        self.model, self.x = model, x
        self.z: Tensor | None = None

    def __call__(self, z: Float[Tensor, "n b *z"]) -> Float[Tensor, "n b"]:
        """f of n codes for each image."""
        self.z = z.detach()
        m = self.model.hyper.decoder_samples or len(z)
        if m >= len(z) or not torch.is_grad_enabled():
            return -self.model.log_likelihood(z, self.x)
        with torch.no_grad():
            others = self.model.log_likelihood(z[m:], self.x)
        some = self.model.log_likelihood(z[:m], self.x)
        # The mean over n draws then has the value of all and the gradient of the mean over the first m.
        some = some.detach() + (len(z) / m) * (some - some.detach())
        return -torch.cat([some, others])

    @torch.no_grad()
    def hardened(self) -> Float[Tensor, "n b"]:
        """f at the discrete values of the relaxed draws that it last saw, as an evaluation would have it."""
        code, likelihood = self.model.code, self.model.likelihood
        assert self.z is not None
        assert isinstance(code, DiscreteCode)
        training = likelihood.training
        likelihood.eval()  # an optimal σ is not to follow this second look
        try:
            return -self.model.log_likelihood(code.harden(self.z), self.x)
        finally:
            likelihood.train(training)
