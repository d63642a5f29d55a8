"""ln p(x) of a trained latent-variable model, by the rung of the ladder that was asked for.

"iwae" draws codes from the encoder, "prior" from p(z), "ais" anneals from the encoder's Gaussian to the
posterior. All are lower bounds on average; the effective number of draws tells how far each can be trusted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.abilities import HasBound, HasBoundByClass, HasGaussianPosterior, offers
from pushforward.errors import UserError
from pushforward.models.sampling import DECODED_AT_ONCE
from pushforward.objectives.annealing import Annealing, annealed_estimate
from pushforward.objectives.bounds import LikelihoodEstimate, decoder_log_likelihood, summarize_weights
from pushforward.randomness import aside

if TYPE_CHECKING:
    from pushforward.models.model import Model

Rung = Literal["iwae", "ais", "prior"]
RUNGS: tuple[Rung, ...] = get_args(Rung)
DRAWS: Mapping[str, int] = {"iwae": 100, "prior": 10_000}  # an image, where none are asked for


def draws_of(method: Rung, k: int | None) -> int:
    """How many draws an image the rung takes, where k are asked for. Raises UserError for what cannot be."""
    if method not in RUNGS:
        raise UserError(f"method: '{method}'; expected one of {', '.join(RUNGS)}")
    draws = DRAWS.get(method, 1) if k is None else k
    if draws < 1:
        raise UserError(f"k: {draws}; expected at least 1 sample")
    return draws


def check_rung(algorithm: object, rung: Rung) -> None:
    """Raise UserError for annealing through codes that are not Gaussian."""
    if offers(algorithm, HasBoundByClass):
        return  # it is asked again of the model that it is with the classes
    if rung == "ais" and not offers(algorithm, HasGaussianPosterior):
        raise UserError(
            "likelihood: 'ais' moves through Gaussian codes, which this model has not; take 'iwae' or 'prior'"
        )


def estimated(
    model: Model, x: Tensor, rung: Rung, *, k: int | None, annealing: Annealing | None, seed: int
) -> LikelihoodEstimate:
    """ln p(x) in nats of images in [-1, 1], in parts that fit into memory: `Model.likelihood`."""
    draws = draws_of(rung, k)
    algorithm = model.ability(HasBound)
    check_rung(model.algorithm, rung)
    decoded = max(1, DECODED_AT_ONCE // math.prod(model.shape))
    with aside(seed), torch.no_grad():
        parts = [
            marginal_likelihood(
                algorithm,
                algorithm.likelihood.prepare(chunk.to(model.device)),
                rung,
                k=draws,
                annealing=annealing,
                decoded_at_once=decoded,
            )
            for chunk in x.split(max(1, min(model.batch_size, decoded // draws)))
        ]
    return joined(parts)


@torch.no_grad()
def marginal_likelihood(
    algorithm: HasBound,
    x: Float[Tensor, "b c h w"],
    rung: Rung = "iwae",
    *,
    k: int = 100,
    annealing: Annealing | None = None,
    decoded_at_once: int = 2000,
) -> LikelihoodEstimate:
    """ln p(x) in nats of images as the likelihood prepared them, on the model's device.

    k: draws an image of "iwae" and "prior". annealing: of "ais". decoded_at_once: images that are decoded
    together; it bounds the memory. Raises UserError for a rung that the model does not have.
    """
    check_rung(algorithm, rung)
    if rung == "ais":
        settings = annealing or Annealing()
        chains = settings.chains + settings.pilot_chains
        parts = [_annealed(algorithm, part, settings) for part in x.split(max(1, decoded_at_once // chains))]
        return joined(parts)
    draw = algorithm.log_weights if rung == "iwae" else _prior_weights(algorithm)
    log_weights = in_parts(draw, x, k, max(1, decoded_at_once // len(x)))
    return summarize_weights(log_weights)


def in_parts(
    draw: Callable[[Tensor, int], Tensor], x: Float[Tensor, "b c h w"], k: int, at_once: int
) -> Float[Tensor, "k b"]:
    """The log-weights of k draws, `at_once` of them at a time, in double."""
    return torch.cat([draw(x, min(at_once, k - i)) for i in range(0, k, at_once)]).double()


def _prior_weights(algorithm: HasBound) -> Callable[[Tensor, int], Tensor]:
    """ln p(x|z_i) of k draws z_i ~ p(z) for each image."""

    def draw(x: Tensor, k: int) -> Tensor:
        of_z = decoder_log_likelihood(algorithm.decoder, algorithm.likelihood.log_prob, x)
        return of_z(algorithm.sample_prior(k * len(x)).unflatten(0, (k, len(x))))

    return draw


def _annealed(algorithm: HasBound, x: Tensor, annealing: Annealing) -> LikelihoodEstimate:
    assert offers(algorithm, HasGaussianPosterior)
    mu, log_var = algorithm.posterior(x)
    of_z = decoder_log_likelihood(algorithm.decoder, algorithm.likelihood.log_prob, x)
    return annealed_estimate(of_z, mu, log_var, annealing=annealing)


def joined(parts: list[LikelihoodEstimate]) -> LikelihoodEstimate:
    """Of all images, from those of parts of them; on the CPU."""
    acceptance = [part.acceptance.cpu() for part in parts if part.acceptance is not None]
    return LikelihoodEstimate(
        torch.cat([part.value.cpu() for part in parts]),
        torch.cat([part.standard_error.cpu() for part in parts]),
        torch.cat([part.ess.cpu() for part in parts]),
        torch.cat(acceptance) if acceptance else None,
    )


def mean_standard_error(estimate: LikelihoodEstimate) -> float:
    """Of the mean over images, from the draws alone: √(Σ s²)/b in nats; nan for a single draw."""
    return math.sqrt(float(estimate.standard_error.square().sum())) / len(estimate.standard_error)
