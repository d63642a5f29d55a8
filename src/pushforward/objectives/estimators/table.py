"""What goes with what: the one table of estimators, from which every refusal is worded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

from torch import Tensor
from torch.distributions import (
    Bernoulli,
    Categorical,
    Distribution,
    Normal,
    OneHotCategorical,
    Pareto,
    Uniform,
)
from torch.distributions.constraints import Constraint

from pushforward.errors import UserError, did_you_mean
from pushforward.objectives.estimators.contract import Samples, unwrap

# Evaluations of f that one draw may cost beyond its own, and configurations that one event may have.
SIZE_LIMITS = {"measure-valued": 128, "exact": 2**16}

RELAXABLE = ("Bernoulli", "OneHotCategorical")
FINITE = ("Bernoulli", "Categorical", "OneHotCategorical")
CONTINUOUS = ("Normal", "reparameterizable", "moving support")
ANY_FIXED_SUPPORT = (*FINITE, "Normal", "reparameterizable", "other")


@dataclass(frozen=True, kw_only=True)
class Estimator:
    """One row of the table.

    paper: its source. unbiased: for every f of the kind it takes. latents: kinds of distribution that it
    takes (see `latent_kind`). min_samples: fewest draws. evaluations: of f per draw, d being the event's
    coordinates and K its categories. differentiable: whether it needs ∂f/∂z. independent: whether a draw's
    Jacobian does not depend on the other draws. given_samples: whether it takes draws, not only their number.
    """

    name: str
    paper: str
    unbiased: bool
    latents: tuple[str, ...]
    evaluations: str = "1"
    min_samples: int = 1
    differentiable: bool = False
    independent: bool = True
    given_samples: bool = False

    def supports(self, dist: Distribution) -> bool:
        """Whether the estimator takes this distribution."""
        return latent_kind(dist) in self.latents and self._size(dist) <= SIZE_LIMITS.get(self.name, math.inf)

    def check(self, samples: Samples, dist: Distribution) -> None:
        """Raise UserError if this distribution or these samples cannot be taken."""
        if latent_kind(dist) not in self.latents:
            raise UserError(
                f"dist: given {_describe(dist)}, but {self.name} needs {_or(self.latents)}; "
                + _advice(dist, self)
            )
        if not self.supports(dist):
            raise UserError(
                f"dist: given {_describe(dist)}, which costs {self.name} {self._size(dist):.4g} evaluations "
                f"of f per draw, expected at most {SIZE_LIMITS[self.name]}; {_advice(dist, self)}"
            )
        self._check_samples(samples, dist)

    def _size(self, dist: Distribution) -> int:
        sizes = {"measure-valued": measure_valued_evaluations, "exact": configurations}
        return sizes[self.name](dist) if self.name in sizes else 1

    def _check_samples(self, samples: Samples, dist: Distribution) -> None:
        if isinstance(samples, Tensor):
            self._check_given(samples, dist)
        count = len(samples) if isinstance(samples, Tensor) else samples
        if not isinstance(count, int) or isinstance(count, bool) or count < self.min_samples:
            raise UserError(
                f"samples: given {count!r}, but {self.name} needs an integer of at least {self.min_samples}"
                + ("; with one draw use score-function with a baseline" if self.name == "rloo" else "")
            )

    def _check_given(self, samples: Tensor, dist: Distribution) -> None:
        if not self.given_samples:
            raise UserError(
                f"samples: given a tensor, but {self.name} draws its own noise; give the number of draws"
            )
        shape = (*dist.batch_shape, *dist.event_shape)
        if samples.ndim == 0 or tuple(samples.shape[1:]) != shape:
            raise UserError(
                f"samples: given shape {tuple(samples.shape)}, expected (n, *batch, *event) = (n, "
                f"{', '.join(map(str, shape))}); draw them with dist.sample((n,))"
            )
        if not bool(_support(dist).check(samples).all()):
            raise UserError(
                f"samples: given values outside the support of {_describe(dist)}; draw them from it"
            )


def latent_kind(dist: Distribution) -> str:
    """The kind of a distribution, as the table's `latents` names it.

    A Bernoulli, Categorical, OneHotCategorical (the straight-through one too, whose `rsample` is biased) or
    Normal is itself. "moving support": its support depends on θ, so no score function exists.
    "reparameterizable": any other continuous one with `rsample`. "other": the rest.
    """
    factors, _ = unwrap(dist)
    for kind in (Bernoulli, Categorical, OneHotCategorical, Normal):
        if isinstance(factors, kind):
            return kind.__name__
    if isinstance(factors, Uniform | Pareto):
        return "moving support"
    return "reparameterizable" if factors.has_rsample and not _support(factors).is_discrete else "other"


def measure_valued_evaluations(dist: Distribution) -> int:
    """Evaluations of f per draw beyond the draw itself: 3d for Normal, d for Bernoulli, dK for categories."""
    factors, _ = unwrap(dist)
    width = math.prod(dist.event_shape)
    if isinstance(factors, Normal):
        return 3 * width
    return width * factors.logits.shape[-1] if isinstance(factors, Categorical) else width


def configurations(dist: Distribution) -> int:
    """How many values one event of a finite distribution can take."""
    factors, _ = unwrap(dist)
    if isinstance(factors, OneHotCategorical):
        return int(dist.event_shape[-1] ** math.prod(dist.event_shape[:-1]))
    levels = factors.logits.shape[-1] if isinstance(factors, Categorical) else 2
    return int(levels ** math.prod(dist.event_shape))


def find_estimator(name: str) -> Estimator:
    """The row of that name. Raises UserError with the nearest name and the whole list."""
    if name not in ESTIMATORS:
        raise UserError(
            f"estimator: there is none named '{name}'{did_you_mean(name, ESTIMATORS)}. "
            f"Known: {', '.join(ESTIMATORS)}"
        )
    return ESTIMATORS[name]


def check(name: str, samples: Samples, dist: Distribution) -> None:
    """Refuse what the named estimator cannot do. Raises UserError."""
    ESTIMATORS[name].check(samples, dist)


def check_temperature(temperature: float) -> None:
    """Raise UserError unless τ > 0."""
    if not (temperature > 0 and math.isfinite(temperature)):
        raise UserError(
            f"temperature: given {temperature}, expected a finite number above 0; "
            "anneal it to a floor with annealed_temperature(step, rate=1e-4, floor=0.5)"
        )


def _support(dist: Distribution) -> Constraint:
    return cast(Constraint, dist.support)  # torch types it as optional, for families without parameters


def _describe(dist: Distribution) -> str:
    factors, _ = unwrap(dist)
    return f"a {type(factors).__name__} with event shape {tuple(dist.event_shape)}"


def _or(words: tuple[str, ...]) -> str:
    spoken = {
        "reparameterizable": "another continuous distribution with rsample",
        "moving support": "one whose support depends on its parameters",
        "other": "any other with a fixed support",
    }
    parts = [spoken.get(word, f"a {word}") for word in words]
    return " or ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def _advice(dist: Distribution, refused: Estimator) -> str:
    if latent_kind(dist) == "Categorical" and "OneHotCategorical" in refused.latents:
        return "make it a OneHotCategorical of the same logits"
    return f"take one of {', '.join(row.name for row in ESTIMATORS.values() if row.supports(dist))}"


ESTIMATORS = {
    row.name: row
    for row in (
        Estimator(
            name="score-function",
            paper="Williams 1992",
            unbiased=True,
            latents=ANY_FIXED_SUPPORT,
            given_samples=True,
        ),
        Estimator(
            name="nvil",
            paper="Mnih & Gregor 2014",
            unbiased=True,
            latents=ANY_FIXED_SUPPORT,
            given_samples=True,
        ),
        Estimator(
            name="rloo",
            paper="Kool, van Hoof & Welling 2019",
            unbiased=True,
            latents=ANY_FIXED_SUPPORT,
            min_samples=2,
            independent=False,
            given_samples=True,
        ),
        Estimator(
            name="muprop",
            paper="Gu et al. 2016",
            unbiased=True,
            latents=(*RELAXABLE, "Normal"),
            evaluations="1 + 1/n",
            differentiable=True,
            given_samples=True,
        ),
        Estimator(
            name="pathwise",
            paper="Kingma & Welling 2014",
            unbiased=True,
            latents=CONTINUOUS,
            differentiable=True,
        ),
        Estimator(
            name="measure-valued",
            paper="Mohamed et al. 2020",
            unbiased=True,
            latents=("Normal", *FINITE),
            evaluations="1 + 3d (Normal), 1 + d (Bernoulli), 1 + dK (categorical)",
        ),
        Estimator(
            name="gumbel-softmax",
            paper="Jang, Gu & Poole 2017",
            unbiased=False,
            latents=RELAXABLE,
            differentiable=True,
        ),
        Estimator(
            name="straight-through-gumbel",
            paper="Jang, Gu & Poole 2017",
            unbiased=False,
            latents=RELAXABLE,
            differentiable=True,
        ),
        Estimator(
            name="straight-through",
            paper="Bengio, Léonard & Courville 2013",
            unbiased=False,
            latents=RELAXABLE,
            differentiable=True,
        ),
        Estimator(
            name="rebar",
            paper="Tucker et al. 2017",
            unbiased=True,
            latents=RELAXABLE,
            evaluations="3",
            differentiable=True,
        ),
        Estimator(
            name="relax",
            paper="Grathwohl et al. 2018",
            unbiased=True,
            latents=RELAXABLE,
            evaluations="1, or 3 with f in its control",
        ),
        Estimator(
            name="arm",
            paper="Yin & Zhou 2019",
            unbiased=True,
            latents=("Bernoulli",),
            evaluations="2",
        ),
        Estimator(
            name="disarm",
            paper="Dong, Mnih & Tucker 2020",
            unbiased=True,
            latents=("Bernoulli",),
            evaluations="2",
        ),
        Estimator(
            name="exact",
            paper="enumeration",
            unbiased=True,
            latents=FINITE,
            evaluations="all configurations",
        ),
    )
}
