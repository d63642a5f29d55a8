"""Estimators of the gradient of an expectation, ∇_θ E_{q_θ}[f(z)]; the contract is in `contract`.

    surrogate, jacobians = rloo(f, 8, Independent(Bernoulli(logits=encoder(x)), 1))
    surrogate.backward()

`ESTIMATORS` says what goes with what, `FUNCTIONS` holds the estimators by the same names. `vimco`, for
multi-sample bounds, takes log-weights instead of f.
"""

from __future__ import annotations

from collections.abc import Callable

from pushforward.objectives.estimators.arm import arm
from pushforward.objectives.estimators.contract import Estimate, Function, Samples
from pushforward.objectives.estimators.disarm import disarm
from pushforward.objectives.estimators.exact import every_value, exact
from pushforward.objectives.estimators.gumbel_softmax import (
    annealed_temperature,
    gumbel_max,
    gumbel_softmax,
    straight_through_gumbel,
)
from pushforward.objectives.estimators.measure_valued import measure_valued
from pushforward.objectives.estimators.muprop import muprop
from pushforward.objectives.estimators.nvil import nvil
from pushforward.objectives.estimators.pathwise import pathwise
from pushforward.objectives.estimators.rebar import rebar
from pushforward.objectives.estimators.relax import RelaxControl, relax
from pushforward.objectives.estimators.rloo import rloo
from pushforward.objectives.estimators.score_function import MovingAverage, score_function
from pushforward.objectives.estimators.straight_through import straight_through
from pushforward.objectives.estimators.table import ESTIMATORS, Estimator, find_estimator, latent_kind
from pushforward.objectives.estimators.vimco import vimco

FUNCTIONS: dict[str, Callable[..., Estimate]] = {
    "score-function": score_function,
    "nvil": nvil,
    "rloo": rloo,
    "muprop": muprop,
    "pathwise": pathwise,
    "measure-valued": measure_valued,
    "gumbel-softmax": gumbel_softmax,
    "straight-through-gumbel": straight_through_gumbel,
    "straight-through": straight_through,
    "rebar": rebar,
    "relax": relax,
    "arm": arm,
    "disarm": disarm,
    "exact": exact,
}

__all__ = [
    "ESTIMATORS",
    "FUNCTIONS",
    "Estimate",
    "Estimator",
    "Function",
    "MovingAverage",
    "RelaxControl",
    "Samples",
    "annealed_temperature",
    "arm",
    "disarm",
    "every_value",
    "exact",
    "find_estimator",
    "gumbel_max",
    "gumbel_softmax",
    "latent_kind",
    "measure_valued",
    "muprop",
    "nvil",
    "pathwise",
    "rebar",
    "relax",
    "rloo",
    "score_function",
    "straight_through",
    "straight_through_gumbel",
    "vimco",
]
