"""Annealed importance sampling of ln p(x), and a bound from above for simulated images.

R. M. Neal, *Annealed importance sampling*, Statistics and Computing 2001; for decoder-based models
Y. Wu, Y. Burda, R. Salakhutdinov and R. Grosse, *On the quantitative analysis of decoder-based generative
models*, ICLR 2017, section 4. Chains start at a Gaussian q₀ (the prior, or an encoder's posterior) and move
by Hamiltonian Monte Carlo through q₀^(1-β) (p(z) p(x|z))^β as β rises from 0 to 1.

Deviations:
1. Step sizes are found by a pilot run of chains of its own, for every image and temperature, and are then
   frozen: adapted along the very chains that are weighed they would leave the weights not exactly unbiased.
2. Each move's step size is jittered by up to a half. With a fixed one a trajectory can come round to where
   it began, or to its mirror image, and the chain stops mixing.

Whitened coordinates u = (z - μ)/σ make q₀ a standard normal and give every latent dimension the step that
suits it. There ln of the annealed density is -|u|²/2 + β Δ(u), Δ = ln p(x, z) - ln q₀(z).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.errors import UserError
from pushforward.objectives.bounds import LikelihoodEstimate, LogLikelihood, summarize_weights

FIRST_STEP = 0.3
ADAPTATION_RATE = 0.3
JITTER = 0.5


@dataclass(frozen=True, kw_only=True)
class Annealing:
    """How finely to anneal. Cost an image: temperatures x (chains + pilot_chains) x leapfrog decodings."""

    temperatures: int = 1000
    """Steps from q₀ to the posterior: the gap of the bound falls about inversely with them."""
    chains: int = 16
    """Independent chains an image; the standard error falls with their square root."""
    leapfrog: int = 5
    """Leapfrog steps of one move. At equal cost, more temperatures gain more than longer moves."""
    pilot_chains: int = 4
    """Chains an image with which step sizes are found; they are not weighed."""
    target_acceptance: float = 0.65
    """Of a move, to which step sizes are adapted; 0.65 is optimal in high dimension (Beskos et al. 2013)."""

    def __post_init__(self) -> None:
        for name in ("temperatures", "chains", "leapfrog", "pilot_chains"):
            if getattr(self, name) < 1:
                raise UserError(f"{name}: {getattr(self, name)}; expected at least 1")
        if not 0 < self.target_acceptance < 1:
            raise UserError(f"target_acceptance: {self.target_acceptance}; expected between 0 and 1")


@dataclass(frozen=True)
class _State:
    """Where the chains are, with Δ and its gradient there. (k, b, d), (k, b), (k, b, d)."""

    u: Tensor
    delta: Tensor
    gradient: Tensor


@dataclass(frozen=True)
class _Path:
    """The path of densities from q₀ = N(μ, σ²) to p(x, z)."""

    log_likelihood: LogLikelihood
    mu: Tensor
    sigma: Tensor

    def at(self, u: Tensor) -> _State:
        with torch.enable_grad():
            u = u.detach().requires_grad_()
            z = self.mu + self.sigma * u
            ratio = 0.5 * (u.square() - z.square()).sum(-1) + self.sigma.log().sum(-1)
            delta = self.log_likelihood(z) + ratio
            (gradient,) = torch.autograd.grad(delta.sum(), u)
        return _State(u.detach(), delta.detach(), gradient)

    def start(self, chains: int) -> _State:
        return self.at(torch.randn(chains, *self.mu.shape, dtype=self.mu.dtype, device=self.mu.device))


def sigmoid_schedule(temperatures: int, *, sharpness: float = 4.0) -> Float[Tensor, " t"]:
    """β_0 = 0 ... β_T = 1, finest at both ends: a sigmoid over ±sharpness, rescaled to [0, 1]."""
    t = torch.linspace(-sharpness, sharpness, temperatures + 1, dtype=torch.float64).sigmoid()
    return (t - t[0]) / (t[-1] - t[0])


@torch.no_grad()
def annealed_estimate(
    log_likelihood: LogLikelihood,
    mu: Float[Tensor, "b d"],
    log_var: Float[Tensor, "b d"],
    *,
    annealing: Annealing | None = None,
) -> LikelihoodEstimate:
    """ln p(x) by annealed importance sampling from N(μ, σ²): zeros for the prior, or the encoder's output.

    log_likelihood: differentiable in z, (k, b, d) -> (k, b). Starting from the encoder is quicker where
    it is good; from the prior it is safer where the encoder may miss a mode.
    """
    annealing = annealing or Annealing()
    path = _Path(log_likelihood, mu, torch.exp(0.5 * log_var))
    betas = sigmoid_schedule(annealing.temperatures).tolist()
    step_sizes = _pilot(path, betas, annealing)
    state = path.start(annealing.chains)
    log_weights = torch.zeros_like(state.delta)
    accepted = torch.zeros_like(mu[:, 0])
    for step, (previous, beta) in zip(step_sizes, pairwise(betas), strict=True):
        log_weights += (beta - previous) * state.delta
        state, acceptance = _move(path, state, beta, step, annealing.leapfrog)
        accepted += acceptance
    return summarize_weights(log_weights, acceptance=accepted.double() / annealing.temperatures)


@torch.no_grad()
def annealed_upper_bound(
    log_likelihood: LogLikelihood,
    z: Float[Tensor, "b d"],
    mu: Float[Tensor, "b d"],
    log_var: Float[Tensor, "b d"],
    *,
    annealing: Annealing | None = None,
) -> LikelihoodEstimate:
    """ln p(x) from above, by annealing backwards from an exact posterior draw z.

    Such a draw is at hand only for an image that the model itself made, x ~ p(x|z) with z ~ p(z): on those,
    the gap to `annealed_estimate` bounds that one's error. Grosse, Ghahramani & Adams 2015 (bidirectional
    Monte Carlo). The chains of an image share their start: the standard error leaves out what that adds.
    """
    annealing = annealing or Annealing()
    sigma = torch.exp(0.5 * log_var)
    path = _Path(log_likelihood, mu, sigma)
    betas = sigmoid_schedule(annealing.temperatures).tolist()
    step_sizes = _pilot(path, betas, annealing)
    state = path.at(((z - mu) / sigma).expand(annealing.chains, -1, -1))
    log_weights = torch.zeros_like(state.delta)
    accepted = torch.zeros_like(mu[:, 0])
    for step, (previous, beta) in reversed(list(zip(step_sizes, pairwise(betas), strict=True))):
        state, acceptance = _move(path, state, beta, step, annealing.leapfrog)
        log_weights -= (beta - previous) * state.delta
        accepted += acceptance
    inverse = summarize_weights(log_weights, acceptance=accepted.double() / annealing.temperatures)
    return replace(inverse, value=-inverse.value)


def _pilot(path: _Path, betas: list[float], annealing: Annealing) -> list[Float[Tensor, " b"]]:
    """The step size of every temperature and image, adapted along chains that are then forgotten."""
    state = path.start(annealing.pilot_chains)
    log_step = torch.full_like(path.mu[:, 0], FIRST_STEP).log()
    steps = []
    for beta in betas[1:]:
        steps.append(log_step.exp())
        state, acceptance = _move(path, state, beta, steps[-1], annealing.leapfrog)
        log_step = log_step + ADAPTATION_RATE * (acceptance - annealing.target_acceptance)
    return steps


def _move(
    path: _Path, state: _State, beta: float, step: Float[Tensor, " b"], leapfrog: int
) -> tuple[_State, Float[Tensor, " b"]]:
    """One move of Hamiltonian Monte Carlo; also its acceptance probability, averaged over chains."""
    momentum = torch.randn_like(state.u)
    jitter = 1 + JITTER * (2 * torch.rand_like(state.delta) - 1)
    step = (step * jitter)[..., None]
    proposal, p = state, momentum + 0.5 * step * _force(state, beta)
    for i in range(leapfrog):
        proposal = path.at(proposal.u + step * p)
        p = p + (1.0 if i < leapfrog - 1 else 0.5) * step * _force(proposal, beta)
    log_ratio = _log_joint(proposal, p, beta) - _log_joint(state, momentum, beta)
    # A step so long that it overflowed has no ratio: it is refused.
    probability = log_ratio.nan_to_num(nan=-torch.inf, posinf=-torch.inf).clamp(max=0).exp()
    accept = torch.rand_like(probability) < probability
    moved = _State(
        torch.where(accept[..., None], proposal.u, state.u),
        torch.where(accept, proposal.delta, state.delta),
        torch.where(accept[..., None], proposal.gradient, state.gradient),
    )
    return moved, probability.mean(0)


def _force(state: _State, beta: float) -> Float[Tensor, "k b d"]:
    return beta * state.gradient - state.u


def _log_joint(state: _State, momentum: Float[Tensor, "k b d"], beta: float) -> Float[Tensor, "k b"]:
    return beta * state.delta - 0.5 * (state.u.square() + momentum.square()).sum(-1)
