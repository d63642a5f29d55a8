"""One contract for all: shapes, values, calls of f, and what a VAE's encoder needs."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.distributions import (
    Bernoulli,
    Beta,
    Categorical,
    Dirichlet,
    Exponential,
    Gamma,
    Independent,
    Laplace,
    LogNormal,
    MixtureSameFamily,
    Normal,
    OneHotCategorical,
    OneHotCategoricalStraightThrough,
    Poisson,
    StudentT,
)

from pushforward.errors import UserError
from pushforward.objectives.estimators import (
    ESTIMATORS,
    FUNCTIONS,
    every_value,
    pathwise,
    rloo,
    score_function,
)
from pushforward.objectives.estimators.contract import lift, parameters_of, unchecked, unwrap
from tests.unit.objectives.estimators.problems import (
    BOUND,
    FINITE,
    call,
    coupled,
    normal,
    options,
    weights,
    z_score,
)

PROBLEMS = {**FINITE, "normal": normal}
PAIRS = [
    (name, problem)
    for name in ESTIMATORS
    for problem, make in PROBLEMS.items()
    if ESTIMATORS[name].supports(make())
]


def test_the_table_and_the_functions_name_the_same_estimators():
    assert list(ESTIMATORS) == list(FUNCTIONS)


@pytest.mark.parametrize(("name", "problem"), PAIRS)
def test_the_mean_jacobian_is_the_surrogates_gradient(name, problem):
    dist = PROBLEMS[problem]()
    n = max(5, ESTIMATORS[name].min_samples)
    surrogate, jacobians = call(name, coupled(weights(dist).detach()), n, dist)
    factors, _ = unwrap(dist)
    held = parameters_of(factors)
    assert surrogate.shape == ()
    assert set(jacobians) == set(held)
    for key, rows in jacobians.items():
        assert rows.shape == (1 if name == "exact" else n, *held[key].shape)
        (gradient,) = torch.autograd.grad(surrogate, held[key], retain_graph=True)
        # torch holds a categorical's logits normalised; what the user gave sees the projected gradient.
        if key == "logits" and problem in ("one-hot", "categorical", "category"):
            gradient = gradient - factors.probs * gradient.sum(-1, keepdim=True)
        torch.testing.assert_close(rows.mean(0), gradient, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("name", "problem"), PAIRS)
def test_the_surrogates_value_is_the_mean_of_f_summed_over_the_batch(name, problem):
    dist = PROBLEMS[problem]()
    phi = weights(dist).detach()
    calls = []

    def f(z):
        calls.append(coupled(phi)(z))
        return calls[-1]

    surrogate = FUNCTIONS[name](f, 6, dist, **options(name)).surrogate
    # Whatever an estimator asks of f besides, it asks first for the draws.
    expected = exact_value(dist, phi) if name == "exact" else calls[0].mean(0).sum()
    torch.testing.assert_close(surrogate, expected, rtol=1e-6, atol=1e-9)


def exact_value(dist, phi):
    """E[f(z)] by a loop over all values of the event, summed over the batch."""
    total = torch.zeros((), dtype=torch.float64)
    for z in every_value(dist):
        total = total + (dist.log_prob(z).exp() * coupled(phi)(z[None])[0]).sum()
    return total


CALLS = {"muprop": 2, "measure-valued": 2, "rebar": 2, "relax": 2}


@pytest.mark.parametrize(("name", "problem"), PAIRS)
def test_f_is_called_once_for_all_draws(name, problem):
    """Twice where the second call differs in kind (at the mean, without a graph, relaxed), never per draw."""
    dist = PROBLEMS[problem]()
    calls = []

    def f(z):
        calls.append(len(z))
        return coupled(weights(dist).detach())(z)

    FUNCTIONS[name](f, 50, dist, **options(name))
    assert len(calls) == CALLS.get(name, 1)


def test_eight_leave_one_out_draws_ask_f_as_often_as_eight_pathwise_ones():
    """Once, for all draws: what they cost beyond that is a benchmark's to tell."""
    mu = torch.zeros(64, 20, requires_grad=True)
    q = Independent(Normal(mu, torch.ones(64, 20)), 1)

    def asked(estimator):
        sizes = []

        def f(z):
            sizes.append(len(z))
            return z.square().sum(-1)

        estimator(f, 8, q).surrogate.backward()
        return sizes

    assert asked(rloo) == asked(pathwise) == [8]


@pytest.mark.parametrize(
    "name", ["score-function", "rloo", "muprop", "measure-valued", "rebar", "relax", "arm", "disarm", "nvil"]
)
def test_an_encoder_is_trained_through_an_elbo_that_depends_on_theta_itself(name):
    """E_q[ln p(x, z) - ln q(z|x)] by the encoder's weights, f's direct dependence on θ included."""
    encoder = nn.Linear(4, 3, dtype=torch.float64)
    decoder = nn.Linear(3, 4, dtype=torch.float64)
    x = torch.randn(2, 4, dtype=torch.float64)
    q = Independent(Bernoulli(logits=encoder(x), validate_args=False), 1)

    def negative_elbo(z):
        log_q = -nn.functional.binary_cross_entropy_with_logits(
            q.base_dist.logits.expand_as(z), z, reduction="none"
        ).sum(-1)
        return (decoder(z) - x).square().sum(-1) + log_q

    parameters = [encoder.weight, encoder.bias, decoder.weight]
    wanted = torch.autograd.grad(
        FUNCTIONS["exact"](negative_elbo, 1, q).surrogate, parameters, retain_graph=True
    )
    state = options(name)
    rows = [
        torch.autograd.grad(
            FUNCTIONS[name](negative_elbo, 8, q, **state).surrogate, parameters, retain_graph=True
        )
        for _ in range(200)
    ]
    for exact_gradient, *draws in zip(wanted, *rows, strict=True):
        values = torch.stack(draws)
        assert z_score(values.mean(0) - exact_gradient, values.std(0) / len(values) ** 0.5) < BOUND


def _positive(*shape):
    return (torch.rand(*shape) + 0.5).requires_grad_()


@pytest.mark.parametrize(
    "dist",
    [
        Beta(_positive(2), _positive(2)),
        Dirichlet(_positive(2, 3)),
        Exponential(_positive(2)),
        Gamma(_positive(2), 1.0),
        Laplace(0.0, _positive(2)),
        Poisson(_positive(2)),
        StudentT(_positive(2), 0.0, _positive(2)),
    ],
    ids=lambda d: type(d).__name__,
)
def test_lifting_keeps_the_density_and_separates_the_draws(dist):
    q = lift(dist, 4, jacobians=True)
    z = q.dist.sample()
    assert z.shape == (4, *dist.batch_shape, *dist.event_shape)
    torch.testing.assert_close(q.dist.log_prob(z), dist.log_prob(z))
    for parameter in q.parameters.values():
        if parameter.requires_grad:
            (rows,) = torch.autograd.grad(q.dist.log_prob(z)[1].sum(), parameter, retain_graph=True)
            assert rows[1].abs().sum() > 0
            assert rows[[0, 2, 3]].abs().sum() == 0


def test_other_distributions_give_a_surrogate_but_no_jacobians():
    mu = torch.tensor([0.2, 0.5], requires_grad=True)
    lognormal = LogNormal(mu, 0.3)
    pathwise(torch.log, 4000, lognormal).surrogate.backward()
    torch.testing.assert_close(mu.grad, torch.ones(2))  # E[ln z] = μ
    mixture = MixtureSameFamily(Categorical(logits=torch.zeros(2)), Normal(mu, torch.ones(2)))
    assert torch.isfinite(score_function(torch.square, 50, mixture).surrogate)
    with pytest.raises(UserError, match="jacobians: given True for a LogNormal, but only Bernoulli"):
        pathwise(torch.log, 4, lognormal, jacobians=True)


def test_reading_probs_does_not_change_what_a_distribution_is_made_of():
    dist = Bernoulli(logits=torch.zeros(2, requires_grad=True))
    assert dist.probs.sum() == 1  # cached on the instance from here on
    assert set(parameters_of(dist)) == {"logits"}


def test_constants_have_no_jacobian():
    dist = Normal(torch.zeros(2), torch.ones(2, requires_grad=True))
    assert set(pathwise(torch.square, 3, dist, jacobians=True).jacobians) == {"scale"}
    with pytest.raises(UserError, match=r"jacobians: .*none of its parameters requires grad"):
        pathwise(torch.square, 3, Normal(0.0, 1.0), jacobians=True)


def test_a_wrong_shape_of_f_is_explained():
    dist = Normal(torch.zeros(2, 3, requires_grad=True), 1.0)
    with pytest.raises(UserError, match=r"f: returned shape \(5, 2\) .* expected \(5, 2, 3\).*Independent"):
        score_function(lambda z: z.sum(-1), 5, dist)


def test_nested_independents_are_unwrapped():
    dist = Independent(Independent(Normal(torch.zeros(2, 3, 4, requires_grad=True), 1.0), 1), 1)
    estimate = score_function(lambda z: z.square().sum((-1, -2)), 5, dist, jacobians=True)
    assert estimate.jacobians["loc"].shape == (5, 2, 3, 4)


@pytest.mark.parametrize(("name", "problem"), PAIRS)
def test_without_gradients_there_is_still_a_value(name, problem):
    dist = PROBLEMS[problem]()
    f = coupled(weights(dist))
    with torch.no_grad():
        value = FUNCTIONS[name](f, 4, dist, **options(name)).surrogate
        assert value.isfinite()
        assert not value.requires_grad
        with pytest.raises(UserError, match=r"jacobians: given True for a .*gradients are disabled"):
            FUNCTIONS[name](f, 4, dist, jacobians=True, **options(name))


def test_counts_and_truth_values_are_rewards():
    dist = FINITE["bernoulli"]()
    for f in (lambda z: z.long().sum(-1), lambda z: z.sum(-1) > 1):
        surrogate, jacobians = rloo(f, 6, dist, jacobians=True)
        assert surrogate.is_floating_point()
        assert jacobians["logits"].abs().sum() > 0


@pytest.mark.parametrize("family", [OneHotCategorical, OneHotCategoricalStraightThrough, Categorical])
def test_an_unchecked_distribution_is_the_checked_one(family):
    logits = torch.randn(3, 4)
    checked, unlooked = family(logits=logits), unchecked(family, logits=logits)
    assert type(unlooked) is family
    assert (unlooked.batch_shape, unlooked.event_shape) == (checked.batch_shape, checked.event_shape)
    z = checked.sample((5,))
    assert torch.equal(unlooked.log_prob(z), checked.log_prob(z))
    assert torch.equal(unlooked.expand((2, 3)).entropy(), checked.expand((2, 3)).entropy())
    assert unlooked.expand((2, 3)).log_prob(z[:2]).isfinite().all()


def test_an_unchecked_distribution_is_not_looked_at():
    nan = torch.full((3, 4), torch.nan)
    for family in (Bernoulli, Categorical, OneHotCategorical):
        unchecked(family, logits=nan)
        with pytest.raises(ValueError, match="logits"):
            family(logits=nan)
