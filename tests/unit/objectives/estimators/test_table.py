"""What goes with what, and how refusals are worded."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import (
    Bernoulli,
    Categorical,
    Gamma,
    Independent,
    Normal,
    OneHotCategorical,
    OneHotCategoricalStraightThrough,
    Poisson,
    RelaxedBernoulli,
    Uniform,
)

from pushforward.errors import UserError
from pushforward.objectives.estimators import ESTIMATORS, FUNCTIONS, find_estimator
from tests.unit.objectives.estimators.problems import options

LOGITS = torch.zeros(2, 3, requires_grad=True)
EXAMPLES = {
    "Bernoulli": Independent(Bernoulli(logits=LOGITS), 1),
    "Categorical": Categorical(logits=LOGITS),
    "OneHot": OneHotCategorical(logits=LOGITS),
    "OneHotST": OneHotCategoricalStraightThrough(logits=LOGITS),
    "Normal": Independent(Normal(LOGITS, 1.0), 1),
    "Gamma": Gamma(LOGITS.exp(), 1.0),
    "Relaxed": RelaxedBernoulli(torch.tensor(0.5), logits=LOGITS),
    "Uniform": Uniform(LOGITS - 1, LOGITS + 1),
    "Poisson": Poisson(LOGITS.exp()),
}
SCORE = {"score-function", "nvil", "rloo"}
RELAXED = {"gumbel-softmax", "straight-through-gumbel", "straight-through", "rebar", "relax"}
GOES_WITH = {
    "Bernoulli": SCORE | RELAXED | {"muprop", "measure-valued", "arm", "disarm", "exact"},
    "Categorical": SCORE | {"measure-valued", "exact"},
    "OneHot": SCORE | RELAXED | {"muprop", "measure-valued", "exact"},
    "OneHotST": SCORE | RELAXED | {"muprop", "measure-valued", "exact"},
    "Normal": SCORE | {"muprop", "pathwise", "measure-valued"},
    "Gamma": SCORE | {"pathwise"},
    "Relaxed": SCORE | {"pathwise"},
    "Uniform": {"pathwise"},
    "Poisson": SCORE,
}


@pytest.mark.parametrize("kind", list(EXAMPLES))
def test_what_goes_with_what(kind):
    dist = EXAMPLES[kind]
    assert {name for name, row in ESTIMATORS.items() if row.supports(dist)} == GOES_WITH[kind]


@pytest.mark.parametrize("kind", list(EXAMPLES))
def test_a_function_runs_or_refuses_as_its_row_says(kind):
    """Each call of each estimator on each distribution; a refusal names what would fit."""
    dist = EXAMPLES[kind]
    f = lambda z: z.double().flatten(2).sum(-1) if dist.event_shape else z.double()  # noqa: E731
    for name, function in FUNCTIONS.items():
        if ESTIMATORS[name].supports(dist):
            state = options(name)
            if name in ("score-function", "nvil"):
                state = {k: v for k, v in state.items() if k not in ("baseline", "constant")}
            if name == "nvil":
                state |= {"baseline": lambda x: torch.zeros(dist.batch_shape)}
            wanted = kind != "Relaxed"
            surrogate, jacobians = function(f, 3, dist, jacobians=wanted, **state)
            assert torch.isfinite(surrogate)
            assert (jacobians is not None) == wanted
            continue
        with pytest.raises(
            UserError, match=rf"^dist: given a .* but {name} needs .*; (take|make)"
        ) as refused:
            function(f, 3, dist, **options(name))
        assert "\n" not in str(refused.value)


CASES = {
    "pathwise without rsample": ("pathwise", 3, "Poisson", "dist: given a Poisson .*pathwise needs a Normal"),
    "gumbel for a Gaussian": (
        "gumbel-softmax",
        3,
        "Normal",
        "take one of score-function, nvil, rloo, muprop",
    ),
    "gumbel for indices": ("gumbel-softmax", 3, "Categorical", "make it a OneHotCategorical of the same"),
    "arm on categories": ("arm", 3, "OneHot", "but arm needs a Bernoulli; take one of"),
    "rloo with one draw": (
        "rloo",
        1,
        "Normal",
        "samples: given 1, but rloo needs an integer of at least 2; w",
    ),
    "no draws": ("pathwise", 0, "Normal", "samples: given 0, but pathwise needs an integer of at least 1"),
    "draws for a path": (
        "pathwise",
        torch.zeros(4, 2, 3),
        "Normal",
        "samples: given a tensor, but pathwise d",
    ),
    "draws of a wrong shape": ("rloo", torch.zeros(4, 3), "Normal", r"given shape \(4, 3\), expected .*2, 3"),
    "draws off the support": ("rloo", torch.full((4, 2, 3), 0.5), "Bernoulli", "values outside the support"),
    "a support that moves": ("score-function", 3, "Uniform", "needs .* fixed support; take one of pathwise"),
}


@pytest.mark.parametrize("case", list(CASES))
def test_refusals_say_what_came_what_was_expected_and_the_fix(case):
    name, samples, kind, words = CASES[case]
    state = {"temperature": 1.0} if "gumbel" in name else {}
    with pytest.raises(UserError, match=words):
        FUNCTIONS[name](lambda z: z.sum(-1), samples, EXAMPLES[kind], **state)


def test_sizes_are_limited_with_the_limit_named():
    wide = Independent(Normal(torch.zeros(43, requires_grad=True), 1.0), 1)
    with pytest.raises(
        UserError, match=r"costs measure-valued 129 evaluations .* at most 128; take one of score"
    ):
        FUNCTIONS["measure-valued"](lambda z: z.sum(-1), 1, wide)
    many = Independent(Bernoulli(logits=torch.zeros(17, requires_grad=True)), 1)
    with pytest.raises(UserError, match=r"exact 1.311e[+]05 evaluations .* at most 65536"):
        FUNCTIONS["exact"](lambda z: z.sum(-1), 1, many)
    for name, dist in (("measure-valued", wide), ("exact", many)):
        assert not ESTIMATORS[name].supports(dist)
    categories = Independent(OneHotCategorical(logits=torch.zeros(20, 10)), 1)
    assert not ESTIMATORS["measure-valued"].supports(categories)
    assert ESTIMATORS["exact"].supports(Independent(OneHotCategorical(logits=torch.zeros(4, 16)), 1))


def test_an_f_that_cuts_the_graph_is_noticed_by_the_pathwise_estimator():
    with pytest.raises(UserError, match=r"f: its value carries no gradient .*take score-function or rloo"):
        FUNCTIONS["pathwise"](lambda z: z.detach().sum(-1), 3, EXAMPLES["Normal"])


def test_names_are_looked_up_with_a_suggestion():
    assert find_estimator("rebar").paper == "Tucker et al. 2017"
    with pytest.raises(UserError, match="none named 'disram'; perhaps you meant 'disarm'"):
        find_estimator("disram")
