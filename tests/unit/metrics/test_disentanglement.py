"""Measures of disentanglement on codes whose scores are known."""

from __future__ import annotations

import math

import pytest
import torch

from pushforward.errors import UserError
from pushforward.metrics.disentanglement import (
    beta_vae_score,
    dci,
    entropies,
    factor_vae_score,
    info_mec,
    mutual_information,
    mutual_information_gap,
)

SIZES = (4, 5, 3)


def grid(repeats: int = 10) -> torch.Tensor:
    """Every combination of three factors, ten times."""
    return torch.cartesian_prod(*[torch.arange(n) for n in SIZES]).repeat(repeats, 1)


@pytest.fixture
def factors():
    return grid()


@pytest.fixture
def perfect(factors):
    return factors.double()


def noise(n: int, d: int) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_a_code_for_each_factor_has_every_score(perfect, factors):
    assert mutual_information_gap(perfect, factors) == pytest.approx(1, abs=1e-12)
    assert factor_vae_score(perfect, factors, votes=500) == 1
    assert beta_vae_score(perfect, factors, votes=500) == 1
    found = info_mec(perfect, factors)
    assert (found.modularity, found.compactness) == pytest.approx((1, 1), abs=1e-12)
    forest = dci(perfect, factors)
    assert min(forest.disentanglement, forest.completeness) > 0.95
    assert forest.informativeness == 1


def test_information_is_the_factors_entropy_or_none(perfect, factors):
    found = mutual_information(perfect, factors)
    expected = torch.diag(torch.tensor([math.log(n) for n in SIZES], dtype=torch.float64))
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)
    torch.testing.assert_close(entropies(factors), expected.diag(), atol=1e-12, rtol=0)


SCORES = {
    "mig": mutual_information_gap,
    "factor-vae": lambda z, v: factor_vae_score(z, v, votes=300),
    "beta-vae": lambda z, v: beta_vae_score(z, v, votes=300),
    "dci": lambda z, v: list(vars(dci(z, v)).values()),
    "info-mec": lambda z, v: list(vars(info_mec(z, v)).values()),
}


@pytest.mark.parametrize("score", SCORES.values(), ids=SCORES)
def test_the_unit_of_each_code_changes_nothing(score, perfect, factors):
    codes = perfect + 0.3 * noise(*perfect.shape)
    units = torch.tensor([1.0, 2.0**10, 2.0**-12], dtype=torch.float64)  # exact, so bins are the same
    assert score(codes * units, factors) == pytest.approx(score(codes, factors), abs=1e-9)
    assert score(perfect * units, factors) == pytest.approx(score(perfect, factors), abs=1e-9)


@pytest.mark.parametrize("name", ["mig", "factor-vae", "beta-vae", "info-mec"])
def test_the_order_of_codes_changes_nothing(name, perfect, factors):
    codes = perfect + 0.3 * noise(*perfect.shape)
    turned = SCORES[name](codes[:, [2, 0, 1]], factors)
    # A logistic regression ends a little elsewhere.
    assert turned == pytest.approx(SCORES[name](codes, factors), abs=1e-3)


@pytest.mark.parametrize("name", ["factor-vae", "beta-vae"])
def test_the_sign_of_a_code_changes_no_votes(name, perfect, factors):
    codes = perfect + 0.3 * noise(*perfect.shape)
    signs = torch.tensor([1.0, -1.0, -1.0])
    assert SCORES[name](codes * signs, factors) == SCORES[name](codes, factors)


def test_the_sign_of_a_code_changes_no_information(perfect, factors):
    assert mutual_information_gap(-perfect, factors) == pytest.approx(1, abs=1e-12)


def test_two_codes_turned_by_45_degrees_have_no_gap():
    factors = torch.cartesian_prod(torch.arange(5), torch.arange(5)).repeat(20, 1)
    a, b = factors.double().T
    turned = torch.stack([a + b, a - b], 1)
    assert mutual_information_gap(turned, factors) == pytest.approx(0, abs=1e-12)
    assert factor_vae_score(turned, factors) == pytest.approx(0.5, abs=0.05)
    found = info_mec(turned, factors)
    assert (found.modularity, found.compactness) == pytest.approx((0, 0), abs=1e-12)


def test_a_factor_in_two_codes_costs_its_gap_and_compactness_but_not_modularity(factors):
    a, b, _ = factors.double().T
    codes, both = torch.stack([a, a, b], 1), factors[:, :2]
    assert mutual_information_gap(codes, both) == pytest.approx(0.5, abs=1e-12)
    found = info_mec(codes, both)
    assert found.modularity == pytest.approx(1, abs=1e-12)
    assert found.compactness == pytest.approx(((1 / 2 - 1 / 3) / (2 / 3) + 1) / 2, abs=1e-12)


def test_a_code_of_two_factors_costs_modularity(factors):
    a, b, c = factors.double().T
    codes = torch.stack([a + 4 * b, c], 1)
    found = info_mec(codes, factors, bins=20)
    # Of three factors the first code knows two in full: (1/2 - 1/3) / (2/3); the second knows one.
    assert found.modularity == pytest.approx((0.25 + 1) / 2, abs=1e-12)
    assert found.compactness == pytest.approx(1, abs=1e-12)


def test_random_codes_are_at_chance(factors):
    factors = grid(60)
    codes = noise(len(factors), 4)
    assert mutual_information_gap(codes, factors, bins=5) < 0.01
    assert factor_vae_score(codes, factors) == pytest.approx(1 / 3, abs=0.06)
    assert beta_vae_score(codes, factors) == pytest.approx(1 / 3, abs=0.06)
    assert info_mec(codes, factors, bins=5).explicitness < 0.02
    forest = dci(codes, factors)
    assert forest.disentanglement < 0.1
    assert forest.informativeness == pytest.approx(sum(1 / n for n in SIZES) / 3, abs=0.05)


def test_constant_codes_are_left_out_and_others_where_asked(perfect, factors):
    codes = torch.cat([perfect, torch.full((len(perfect), 1), 0.1), noise(len(perfect), 1)], 1)
    active = torch.tensor([True, True, True, True, False])
    assert factor_vae_score(codes, factors, votes=500) == 1
    assert beta_vae_score(codes, factors, votes=500, active=active) == 1
    assert info_mec(codes, factors).modularity < 0.95  # the noise answers to all factors alike
    found = info_mec(codes, factors, active=active)
    assert (found.modularity, found.compactness) == pytest.approx((1, 1), abs=1e-12)


@pytest.mark.parametrize("active", [torch.ones(2, dtype=torch.bool), torch.ones(3), torch.tensor(True)])
def test_a_mask_that_does_not_fit_is_one_line(active, perfect, factors):
    with pytest.raises(UserError, match="expected 3 booleans"):
        factor_vae_score(perfect, factors, active=active)


def test_one_active_code_is_refused_as_such(perfect, factors):
    codes = torch.cat([perfect[:, :1], torch.ones(len(perfect), 2)], 1)
    with pytest.raises(UserError, match="`codes`: one of 3 is active"):
        info_mec(codes, factors)
    assert factor_vae_score(codes, factors, votes=500) > 0.3


def test_no_grid_is_needed(perfect, factors):
    kept = torch.rand(len(factors), generator=torch.Generator().manual_seed(1)) < 0.3
    kept &= ~((factors[:, 0] == 2) & (factors[:, 1] > 2))  # combinations that never occur
    assert factor_vae_score(perfect[kept], factors[kept], votes=500) == 1
    assert beta_vae_score(perfect[kept], factors[kept], votes=500) == 1
    assert mutual_information_gap(perfect[kept], factors[kept]) > 0.85


def test_continuous_factors_are_binned_and_refused_where_values_must_repeat():
    v = torch.rand(20_000, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert mutual_information_gap(v, v) > 0.99
    # Uniform in [0, 1], of 20 bins.
    torch.testing.assert_close(
        entropies(v), torch.full((2,), math.log(20), dtype=torch.float64), atol=0.01, rtol=0
    )
    with pytest.raises(UserError, match="no integers"):
        factor_vae_score(v, v)


def test_the_same_seed_gives_the_same_score(perfect, factors):
    codes = perfect + noise(*perfect.shape)
    assert factor_vae_score(codes, factors, seed=3) == factor_vae_score(codes, factors, seed=3)
    assert dci(codes, factors, seed=3) == dci(codes, factors, seed=3)


@pytest.mark.parametrize(
    "score", [mutual_information_gap, factor_vae_score, beta_vae_score, dci, info_mec, mutual_information]
)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda z, v: (z[:, :1], v), "of one dimension"),
        (lambda z, v: (z, v[:-1]), r"`factors`: \(599, 3\)"),
        (lambda z, v: (z, v[:, :0]), r"`factors`: \(600, 0\)"),
        (lambda z, v: (z, v[:, 0]), r"`factors`: \(600,\)"),
        (lambda z, v: (z, v * torch.tensor([1, 0, 1])), "factor 1 is constant"),
        (lambda z, v: (z / 0, v), "NaN or infinite"),
        (lambda z, v: (z[:5], v[:5]), "at least 20 rows"),
    ],
)
def test_what_cannot_be_scored_is_one_line(score, change, words, perfect, factors):
    with pytest.raises(UserError, match=words) as refused:
        score(*change(perfect, factors))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("score", [factor_vae_score, beta_vae_score, info_mec])
def test_constant_codes_are_refused(score, factors):
    with pytest.raises(UserError, match="`codes`: constant"):
        score(torch.ones(len(factors), 3), factors)


@pytest.mark.parametrize("score", [factor_vae_score, beta_vae_score])
def test_a_factor_whose_values_never_repeat_is_refused(score, perfect, factors):
    alone = torch.cat([factors, torch.arange(len(factors))[:, None]], 1)
    with pytest.raises(UserError, match="share a value of factor 3"):
        score(perfect, alone)


@pytest.mark.parametrize("unit", [0.3, 0.7, math.pi, 1e-3])
def test_the_unit_of_a_quantised_code_moves_none_of_its_levels(unit):
    factors = torch.cartesian_prod(torch.arange(21), torch.arange(4)).repeat(5, 1)
    codes = factors.double()
    expected = mutual_information(codes, factors)
    torch.testing.assert_close(mutual_information(codes * unit, factors), expected, atol=1e-12, rtol=0)


def test_pairs_of_the_beta_vae_score_have_a_value_each():
    """Codes whose scale depends on a factor: with one value for all pairs of a vote the scale would vary."""
    factors = torch.cartesian_prod(*[torch.arange(4)] * 3).repeat(60, 1)
    w = torch.randn(3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    c = torch.stack([w[i][factors[:, i]] for i in range(3)], 1)
    codes = torch.stack([c[:, 0], c[:, 0].exp() * c[:, 1], c[:, 0].exp() * c[:, 2]], 1)
    assert beta_vae_score(codes, factors) > 0.97


@pytest.mark.parametrize("constant", [0.0, 1.0, -1e-3, 1 / 3])
def test_a_constant_code_does_not_disturb_the_forest(constant, perfect, factors):
    codes = torch.cat([perfect, torch.full((len(perfect), 1), constant)], 1)
    assert dci(codes, factors).disentanglement > 0.95


def test_a_value_too_rare_to_learn_from_is_not_known(perfect, factors):
    rare = factors.clone()
    rare[:, 1] = 0
    rare[0, 1] = 1
    for seed in range(4):
        assert 0 <= info_mec(perfect, rare, seed=seed).explicitness <= 1


def test_codes_far_from_the_origin_score_the_same(perfect, factors):
    assert dci(perfect + 2.0**24, factors) == dci(perfect, factors)


@pytest.mark.parametrize("score", [factor_vae_score, beta_vae_score, info_mec])
def test_a_single_factor_leaves_nothing_to_tell_apart(score, perfect, factors):
    with pytest.raises(UserError, match="`factors`: one"):
        score(perfect, factors[:, :1])


def test_constant_codes_are_refused_by_the_forest(factors):
    with pytest.raises(UserError, match="`codes`: constant"):
        dci(torch.ones(len(factors), 3), factors)


@pytest.mark.parametrize("shape", [(0, 3), (600,), (600, 0)])
def test_entropies_of_no_factors_are_refused(shape):
    with pytest.raises(UserError, match="expected \\(n, k\\)"):
        entropies(torch.ones(shape, dtype=torch.int64))


def test_codes_with_a_gradient_are_taken_as_they_are(perfect, factors):
    codes = perfect.clone().requires_grad_()
    assert beta_vae_score(codes, factors, votes=300) == beta_vae_score(perfect, factors, votes=300)


@pytest.mark.parametrize("score", [factor_vae_score, beta_vae_score])
def test_no_votes_are_refused(score, perfect, factors):
    with pytest.raises(UserError, match="`votes`: 0"):
        score(perfect, factors, votes=0)
