"""AdaGAN's weights against bisection, brute force and the minimum that they are said to be."""

import math

import pytest
import torch

from pushforward.ensembles.weighting import Weighting, component_weights


def bisected(r, beta):
    """λ at which the weights sum to 1, by halving: they grow with it."""
    low, high = 0.0, float(((1 - beta) * r).max()) + 1.0
    for _ in range(200):
        middle = (low + high) / 2
        total = float(((middle - (1 - beta) * r).clamp(min=0) / (beta * len(r))).sum())
        low, high = (middle, high) if total < 1 else (low, middle)
    return low


def ratios(n, seed):
    return torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).mul(2).exp()


@pytest.mark.parametrize("beta", [0.01, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("n", [1, 2, 7, 1000])
def test_lambda_is_where_the_weights_sum_to_one(n, beta):
    for seed in range(5):
        r = ratios(n, seed)
        w, lambda_ = component_weights(r, beta)
        assert lambda_ == pytest.approx(bisected(r, beta), rel=1e-9)
        assert w.sum().item() == pytest.approx(1, abs=1e-12)
        raw = (lambda_ - (1 - beta) * r).clamp(min=0) / (beta * n)
        assert torch.allclose(w, raw, rtol=1e-9, atol=1e-15)


def test_the_papers_condition_on_lambda_holds():
    r, beta = ratios(300, 0), 0.3
    w, lambda_ = component_weights(r, beta)
    k = int((w > 0).sum())
    ordered = r.sort().values
    assert (1 - beta) * ordered[k - 1] <= lambda_ <= (1 - beta) * ordered[k]
    assert lambda_ == pytest.approx((beta * 300 + (1 - beta) * float(ordered[:k].sum())) / k)
    assert 0 < k < 300


def test_points_that_the_mixture_misses_weigh_most_and_those_it_has_too_much_of_nothing():
    w, _ = component_weights(torch.tensor([0.0, 0.0, 2.0, 2.0]), 0.5)
    assert w.tolist() == [0.5, 0.5, 0.0, 0.0]  # the other half of the data, exactly
    r = ratios(50, 1)
    w, _ = component_weights(r, 0.4)
    order = r.argsort()
    assert (w[order].diff() <= 0).all()


def test_old_and_new_together_are_the_data_where_that_can_be():
    """Where (1-β) r ≤ 1 everywhere and r averages to 1, Q fills up exactly what is missing: λ = 1."""
    r = torch.tensor([0.5, 1.5, 0.8, 1.2], dtype=torch.float64)
    w, lambda_ = component_weights(r, 0.5)
    assert lambda_ == pytest.approx(1)
    assert torch.allclose(0.5 * r / 4 + 0.5 * w, torch.full((4,), 0.25, dtype=torch.float64))


def test_no_other_weights_bring_the_mixture_nearer():
    """Against random ones: they minimise KL(data ‖ (1-β) P_model + β Q) over Q, with P_model = r / N."""
    r = ratios(20, 3)
    r = r / r.mean()
    beta = 0.25

    def divergence(w):
        return -torch.log((1 - beta) * r / 20 + beta * w).mean().item()

    best = divergence(component_weights(r, beta)[0])
    generator = torch.Generator().manual_seed(0)
    for power in (0.3, 1, 3):
        for _ in range(300):
            w = torch.rand(20, generator=generator, dtype=torch.float64) ** power
            assert divergence(w / w.sum()) > best


def test_the_first_component_learns_from_all_alike():
    w, lambda_ = component_weights(torch.tensor([0.1, 5.0, math.inf]), 1.0)
    assert lambda_ == 1
    assert torch.allclose(w, torch.full((3,), 1 / 3, dtype=torch.float64))


def test_equal_ratios_give_equal_weights_even_of_a_bad_classifier():
    for level in (0.0, 1.0, 100.0):
        w, lambda_ = component_weights(torch.full((8,), level), 0.1)
        assert torch.allclose(w, torch.full((8,), 0.125, dtype=torch.float64))
        assert lambda_ == pytest.approx(0.1 + 0.9 * level)


def test_infinite_ratios_weigh_nothing():
    w, lambda_ = component_weights(torch.tensor([math.inf, 0.0, math.inf]), 0.5)
    assert w.tolist() == [0, 1, 0]
    assert lambda_ == pytest.approx(1.5)


@pytest.mark.parametrize("beta", [0.0, -0.1, 1.1, math.nan])
def test_a_weight_outside_0_and_1_is_refused(beta):
    with pytest.raises(ValueError, match="beta"):
        component_weights(torch.ones(3), beta)


@pytest.mark.parametrize("r", [[-0.1, 1.0], [math.nan, 1.0], [math.inf, math.inf], []])
def test_ratios_that_are_none_are_refused(r):
    with pytest.raises(ValueError, match="ratio"):
        component_weights(torch.tensor(r), 0.5)


def test_the_effective_share_of_the_data():
    assert Weighting().effective == 1
    assert Weighting(torch.full((8,), 0.125, dtype=torch.float64)).effective == pytest.approx(1)
    assert Weighting(torch.tensor([1.0, 0, 0, 0])).effective == pytest.approx(0.25)
    assert Weighting(torch.tensor([0.5, 0.5, 0, 0])).effective == pytest.approx(0.5)


def test_a_weighting_is_written_and_read_bit_for_bit():
    there = Weighting(component_weights(ratios(9, 0), 0.3)[0], 0.1 + 0.2, 1 / 3)
    back = Weighting.from_bytes(there.to_bytes())
    assert torch.equal(back.weights, there.weights)
    assert (back.lambda_, back.accuracy) == (there.lambda_, there.accuracy)
    first = Weighting.from_bytes(Weighting().to_bytes())
    assert first.weights is None
    assert math.isnan(first.accuracy)
