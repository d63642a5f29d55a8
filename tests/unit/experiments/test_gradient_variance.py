"""The exact variances that `gradient-variance` holds the estimators against, and that its cells can fail."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Bernoulli, Independent

from pushforward.experiments import gradient_variance
from pushforward.experiments.gradient_variance import autoencoder, checks, gaussian, regression
from pushforward.experiments.gradient_variance.gaussian import FIXED, METHODS, Problem, exact_variance
from pushforward.experiments.harness.experiment import Cell, Results
from pushforward.objectives.estimators.quadrature import cosine, gaussian_moments, square


def line(x):
    return x


@pytest.mark.parametrize("dims", [1, 5])
@pytest.mark.parametrize("draws", [2, 7])
def test_the_exact_variances_of_a_linear_function_in_closed_form(dims, draws):
    """f = Σ x_d at μ = 0: gradients 1 by μ and 0 by σ, whose noises are products of normal moments."""
    problem = Problem(line, 0.0, 2.0, dims, draws)
    by_mu, by_sigma = dims + 1, 2 * dims + 8  # Var(ε Σε), Var((ε² - 1) Σε)
    for method in ("score-function", FIXED):
        exact = exact_variance(method, problem)
        assert exact == pytest.approx({"loc": by_mu / draws, "scale": by_sigma / draws})
    assert exact_variance("pathwise", problem) == pytest.approx({"loc": 0.0, "scale": 1 / draws})
    assert exact_variance("muprop", problem) == pytest.approx({"loc": 0.0, "scale": 0.0}, abs=1e-12)
    # The sample covariance of jointly normal f and s has variance (σ_f² σ_s² + σ_fs²)/(n - 1).
    assert exact_variance("rloo", problem)["loc"] == pytest.approx((dims + 1) / (draws - 1))


def test_one_dimension_is_that_of_the_quadrature():
    problem = Problem(cosine(3.0), 0.5, 1.5, 1, 1)
    for method in ("score-function", "pathwise", "measure-valued"):
        expected = gaussian_moments(method, cosine(3.0), 0.5, 1.5).variance
        assert exact_variance(method, problem) == pytest.approx(expected)


def test_a_baseline_is_taken_from_the_whole_sum():
    """(f - b) summed over 3 coordinates with b = 6 is the sum of x² - 2."""
    shifted = exact_variance("score-function", Problem(lambda x: x.square() - 2, 0.0, 1.0, 3, 1))
    with_baseline = exact_variance(FIXED, Problem(square(0.0), 0.0, 1.0, 3, 1), 6.0)
    assert with_baseline == pytest.approx(shifted)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("f", gaussian.FUNCTIONS)
def test_a_measured_variance_is_near_the_exact_one(method, f):
    point = {"f": f, **gaussian.USUAL, "k": 2.0, "D": 3, "replicas": 6000}
    figures = gradient_variance.run(Cell(method, gaussian.setting(f, k=2.0, D=3), 0, point))
    assert max(figures["off by μ"], figures["off by σ"]) < 5
    assert figures["variance by μ"] == pytest.approx(figures["exact variance by μ"], rel=0.3)


def test_a_wrong_exact_variance_is_seen(monkeypatch):
    """The comparison notices 20 %."""
    right = gaussian.exact_variance
    monkeypatch.setattr(
        gaussian, "exact_variance", lambda *a: {name: 1.2 * v for name, v in right(*a).items()}
    )
    point = {"f": "cos(kx)", **gaussian.USUAL, "replicas": 20_000}
    figures = gaussian.run(Cell("pathwise", "", 0, point))
    assert min(figures["off by μ"], figures["off by σ"]) > 6


def test_the_learned_baseline_ends_at_the_mean():
    problem = Problem(square(2.0), 1.0, 1.0, 4, 8)
    assert gaussian._baseline("nvil", problem) == pytest.approx(gaussian._baseline(FIXED, problem), rel=0.05)
    assert gaussian._baseline(FIXED, problem) == pytest.approx(4 * 2.0)


def test_a_parts_size_changes_no_shape(monkeypatch):
    monkeypatch.setattr(gaussian, "ELEMENTS_AT_ONCE", 64)
    drawn = gaussian.gradients("measure-valued", Problem(cosine(1.0), 0.0, 1.0, 2, 3), 7, 0.0)
    assert {name: g.shape for name, g in drawn.items()} == {"loc": (7,), "scale": (7,)}


def test_orders_that_disagree_are_told_from_those_too_near_to_tell():
    assert checks._disagrees((2.0, 1.0), (1.0, 2.0))
    assert not checks._disagrees((1.0, 1.0), (2.0, 2.0))
    assert not checks._disagrees((2.0, 1.0), (1.0, 1.1))  # nearer than 20 %


def test_the_slope_is_that_of_the_variances():
    def slope(power):
        cells = {}
        for n in (*gaussian.DRAWS, int(gaussian.USUAL["N"])):
            figures = {"variance by μ": 3 * n**power, "exact variance by μ": 0.0}
            cells[Cell(FIXED, gaussian.setting("cos(kx)", N=n))] = figures
        return checks._slope(Results(cells), "cos(kx)", "μ")

    assert slope(-1.0) == pytest.approx(-1)
    assert slope(-0.5) == pytest.approx(-0.5)


@pytest.fixture
def small(monkeypatch):
    """A VAE that is not trained, on noise for digits."""

    def images(n, *, seed):
        generator = torch.Generator().manual_seed(seed)
        return torch.randint(0, 2, (n, 1, 28, 28), generator=generator) * 2.0 - 1

    monkeypatch.setattr(autoencoder, "binary_digits", images)
    return {"steps": 0, "learning": 2, "repeats": 40}


@pytest.mark.parametrize("method", [m for m in autoencoder.BITS_METHODS if m != "measure-valued"])
def test_the_encoders_gradient_is_unbiased_or_said_to_be_biased(small, method):
    figures = autoencoder.run(Cell(method, autoencoder.BITS, 0, small))
    assert figures["encoder's variance"] > 0
    if method not in autoencoder.BIASED:
        assert figures["off in standard errors"] < 2.5
    if method == "straight-through":  # f is far from linear
        assert figures["off the exact gradient"] > 0.02


def test_the_kl_of_bits_is_that_of_fair_coins():
    vae = autoencoder.SmallVAE(autoencoder.BITS)
    q = Independent(Bernoulli(logits=torch.full((2, 8), 50.0)), 1)
    torch.testing.assert_close(vae.kl(q), torch.full((2,), 8 * torch.log(torch.tensor(2.0)).item()))


def test_relaxs_network_learns(small):
    """Its parameters are among those that the surrogate moves."""
    learner = autoencoder.Learner("relax")
    before = [p.clone() for p in learner.correction.parameters()]
    autoencoder._learn(learner, autoencoder.SmallVAE(autoencoder.BITS), steps=2, seed=0)
    assert all(
        not torch.equal(old, new) for old, new in zip(before, learner.correction.parameters(), strict=True)
    )


def test_the_regression_climbs_and_its_data_are_standardised():
    x, y = regression.cancer()
    assert x.shape == (569, 31)
    torch.testing.assert_close(x[:, :-1].std(0), torch.ones(30))
    assert set(y.tolist()) == {-1.0, 1.0}
    low, high = (
        regression.run(Cell("pathwise", "", 0, {"steps": steps, "repeats": 5}))["ELBO"] for steps in (0, 60)
    )
    assert high > low


def test_the_table_shows_some_points_and_the_figure_all():
    cells = gradient_variance.cells("quick", range(2))
    drawn = [c for c in cells if c.setting.split(",")[0] in gaussian.FUNCTIONS]
    figures = {
        cell: {name: 1.0 for name in gradient_variance.EXPERIMENT.figures if "variance by" in name}
        for cell in drawn
    }
    rows = gradient_variance.rows(Results(figures))
    assert 0 < len({row.setting for row in rows}) < len({cell.setting for cell in drawn})
    assert "cos(kx), k = 8" in {row.setting for row in rows}
