"""A network with two layers of stochastic units that predicts the lower half of an image from the upper one.

T. Raiko, M. Berglund, G. Alain and L. Dinh, *Techniques for learning binary stochastic feedforward neural
networks*, ICLR 2015; the benchmark of S. Gu et al., *MuProp*, ICLR 2016, section 5.1, and of E. Jang, S. Gu
and B. Poole, *Categorical reparameterization with Gumbel-Softmax*, ICLR 2017, section 4.1. Trained on one
draw, E[ln p(lower|h)], and evaluated on ln of the mean of p(lower|h) over many.

The library's estimators take one distribution; here the second depends on draws of the first, so their rules
are applied layer by layer.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Distribution

from pushforward.algorithms.codes import DiscreteCode, Latent, make_code
from pushforward.core import Algorithm, Draw, Player, Steps, Update
from pushforward.distributions import Bernoulli
from pushforward.networks.mlp import mlp
from pushforward.objectives.estimators import MovingAverage
from pushforward.objectives.estimators.contract import unwrap, zero_with_gradient
from pushforward.objectives.estimators.relaxations import harden, perturbed_logits, relaxable, soften
from pushforward.objectives.estimators.score_function import score_terms

BASELINE_UNITS = 100  # of NVIL's baseline, which sees both halves; Gu et al. 2016, section 5.1
PATHWISE = ("gumbel-softmax", "straight-through-gumbel", "straight-through")
BY_SCORE = ("score-function", "nvil", "muprop")


class StochasticNetwork(Algorithm):
    """upper half -> z₁ -> z₂ -> lower half, all maps linear, z₁ and z₂ of `variables` units each.

    estimator: one of PATHWISE and BY_SCORE. temperature: τ, not annealed (Jang et al., section 4.1).
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        latent: Latent,
        variables: int,
        categories: int = 10,
        estimator: str,
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        self.estimator, self.temperature = estimator, temperature
        code = make_code(latent, variables, categories=categories, prior="uniform")
        assert isinstance(code, DiscreteCode)
        self.code = code
        d, pixels = code.coordinates, math.prod(shape)
        self.upper = pixels // 2
        self.layers = nn.ModuleList([nn.Linear(self.upper, d), nn.Linear(d, d)])
        self.output = nn.Linear(d, pixels - self.upper)
        self.likelihood = Bernoulli(binarization="static")
        self.baseline = (
            nn.Sequential(mlp([pixels, BASELINE_UNITS, 1], activation=nn.Tanh), nn.Flatten(0))
            if estimator == "nvil"
            else None
        )
        self.level = MovingAverage()

    def players(self) -> dict[str, Player]:
        """One player, NVIL's baseline included: it has the same backward pass."""
        return {"network": Player(module=self)}

    def step(self, draw: Draw) -> Steps:
        """Descend -ln p(lower|h) of one draw."""
        x = self.likelihood.prepare(draw().x).flatten(1)
        terms = self.by_path(x) if self.estimator in PATHWISE else self.by_score(x)
        loss = terms.mean()
        seen = yield Update({"network": loss}, {"reconstruction": loss.detach()})
        self.level.update(seen["reconstruction"])

    def cost(self, z: Float[Tensor, "b *z"], x: Float[Tensor, "b p"]) -> Float[Tensor, " b"]:
        """-ln p(lower|z₂) in nats."""
        rows = (slice(None), None, None)  # as an image of one row
        return -self.likelihood.log_prob(self.output(z.flatten(1))[rows], x[:, self.upper :][rows])

    def by_path(self, x: Float[Tensor, "b p"]) -> Float[Tensor, " b"]:
        """The cost of a relaxed draw, or of a hard one whose gradient passes as if it were soft."""
        z = x[:, : self.upper]
        for layer in self.layers:
            z = self._soft(self.code.posterior(layer(z))).flatten(1)
        return self.cost(z, x)

    def _soft(self, q: Distribution) -> Tensor:
        factors = relaxable(unwrap(q)[0])
        if self.estimator == "straight-through":
            return q.sample() + zero_with_gradient(factors.probs)
        noisy = perturbed_logits(factors)
        y = soften(factors, noisy, self.temperature)
        return y if self.estimator == "gumbel-softmax" else zero_with_gradient(y) + harden(factors, noisy)

    def by_score(self, x: Float[Tensor, "b p"]) -> Float[Tensor, " b"]:
        """The cost of a hard draw, with the gradient Σ_i signal_i ∇ ln q(z_i|z_{i-1}) for the layers."""
        z, draws, conditionals = x[:, : self.upper], [], []
        for layer in self.layers:
            q = self.code.posterior(layer(z))
            draws.append(q.sample())
            conditionals.append(q)
            z = draws[-1].flatten(1)
        cost = self.cost(z, x)
        if self.estimator == "muprop":
            return self._muprop(x, cost, draws, conditionals)
        log_q = torch.stack([q.log_prob(z) for q, z in zip(conditionals, draws, strict=True)]).sum(0)
        signal = cost.detach() - self._level(cost)
        if self.baseline is None:
            return score_terms(cost, signal, log_q)
        signal = signal - self.baseline(x)
        return score_terms(cost, signal, log_q) + zero_with_gradient(signal.square())

    def _level(self, cost: Float[Tensor, " b"]) -> Tensor:
        """The mean of past costs; at the first step, that of the other images' draws."""
        if self.clock.step:
            return self.level()
        fixed = cost.detach()
        return (fixed.sum() - fixed) / max(1, len(fixed) - 1)

    def _muprop(
        self,
        x: Float[Tensor, "b p"],
        cost: Float[Tensor, " b"],
        draws: list[Tensor],
        given: list[Distribution],
    ) -> Float[Tensor, " b"]:
        """Each layer's control variate is the cost's expansion at the means of a pass without noise."""
        means, z = [], x[:, : self.upper]
        for layer in self.layers:
            means.append(self.code.posterior(layer(z)).mean)
            z = means[-1].flatten(1)
        expanded = self.cost(z, x)
        slopes = torch.autograd.grad(expanded.sum(), means)
        terms = cost
        for q, drawn, mean, slope in zip(given, draws, means, slopes, strict=True):
            linear = (slope * (drawn - mean.detach())).flatten(1).sum(1)
            signal = (cost - expanded).detach() - linear
            by_mean = (slope * zero_with_gradient(q.mean)).flatten(1).sum(1)
            terms = score_terms(terms, signal, q.log_prob(drawn)) + by_mean
        return terms

    @torch.no_grad()
    def bound(self, images: Float[Tensor, "b c h w"], draws: int) -> Float[Tensor, " b"]:
        """ln (1/m) Σ p(lower|h_i) in nats, over m hard draws for each image."""
        x = self.likelihood.prepare(images).flatten(1)
        z = x[:, : self.upper].repeat(draws, 1)
        for layer in self.layers:
            z = self.code.posterior(layer(z)).sample().flatten(1)
        log_p = -self.cost(z, x.repeat(draws, 1)).view(draws, len(x))
        return log_p.logsumexp(0) - math.log(draws)
