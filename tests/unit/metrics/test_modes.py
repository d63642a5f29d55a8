"""Modes found, high quality and reverse KL, against closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from pushforward.data.toys import draw, grid_modes, high_modes, ring_modes
from pushforward.errors import UserError
from pushforward.metrics.modes import (
    histogram_kl,
    label_statistics,
    mode_statistics,
    perfect_found,
    perfect_kl,
    perfect_quality,
)

CENTRES = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])


def test_counted_by_hand():
    samples = torch.tensor([[0.0, 0.5], [0.3, 0.0], [10.0, 1.0], [2.0, 9.0], [8.0, 8.0]])
    counted = mode_statistics(samples, CENTRES, radius=1.0)
    assert counted.nearest.tolist() == [2, 1, 1, 1]
    assert counted.good.tolist() == [2, 1, 0, 0]  # the radius itself still counts
    assert (counted.found, counted.missing) == (2, [2, 3])
    assert counted.quality == pytest.approx(3 / 5)
    expected = 0.4 * math.log(0.4 * 4) + 3 * 0.2 * math.log(0.2 * 4)
    assert counted.reverse_kl == pytest.approx(expected, abs=1e-12)


def test_a_radius_is_kept_to_the_digits_of_double():
    far = torch.tensor([[1000.0, 1000.0]], dtype=torch.float64)
    inside, outside = far + torch.tensor([0.03 - 1e-9, 0.0]), far + torch.tensor([0.03 + 1e-9, 0.0])
    assert mode_statistics(inside, far, radius=0.03).found == 1
    assert mode_statistics(outside, far, radius=0.03).found == 0


def test_one_mode_alone_is_ln_k_away_and_an_even_histogram_0():
    assert histogram_kl(torch.tensor([7, 0, 0, 0, 0])) == pytest.approx(math.log(5))
    assert histogram_kl(torch.tensor([3, 3, 3])) == 0
    assert histogram_kl(torch.tensor([2, 1]), torch.tensor([2.0, 1.0])) == pytest.approx(0, abs=1e-12)


def test_within_three_sigma_in_the_plane_lie_98_9_percent():
    assert perfect_quality(3.0, 1.0, 2) == pytest.approx(1 - math.exp(-4.5), abs=1e-12)
    assert perfect_quality(0.03, 0.01, 2) == pytest.approx(0.98889, abs=1e-5)


def test_a_normal_number_lies_within_one_sigma_as_often_as_the_error_function_says():
    assert perfect_quality(1.0, 1.0, 1) == pytest.approx(math.erf(1 / math.sqrt(2)), abs=1e-12)


@pytest.mark.parametrize("modes", [ring_modes(), grid_modes()])
def test_draws_of_the_mixture_score_as_the_perfect_sampler_is_said_to(modes):
    n, repeats = 2500, 20
    counts = [
        mode_statistics(
            torch.from_numpy(draw(modes, n, seed=s)[0]), torch.from_numpy(modes.centres), radius=modes.radius
        )
        for s in range(repeats)
    ]
    quality = perfect_quality(modes.radius, modes.sigma, modes.noisy)
    deviation = math.sqrt(quality * (1 - quality) / n / repeats)
    assert sum(c.quality for c in counts) / repeats == pytest.approx(quality, abs=4 * deviation)
    k = len(modes)
    # 2n KL is about χ² with k - 1 degrees of freedom
    assert sum(c.reverse_kl for c in counts) / repeats == pytest.approx(
        perfect_kl(k, n), abs=4 * math.sqrt(2 * (k - 1) / repeats) / (2 * n)
    )
    assert all(c.found == k for c in counts)


def test_no_true_sample_of_1200_dimensions_lies_within_ten_sigma_but_all_by_our_rule():
    modes = high_modes()
    x, which = draw(modes, 200, seed=3)
    centres = torch.from_numpy(modes.centres)
    assert mode_statistics(torch.from_numpy(x), centres, radius=10 * modes.sigma).found == 0
    ours = mode_statistics(torch.from_numpy(x), centres, radius=modes.radius)
    assert (ours.found, ours.quality) == (10, 1.0)
    assert perfect_quality(modes.radius, modes.sigma, modes.noisy) == pytest.approx(1)
    assert perfect_quality(10.0, 1.0, modes.noisy) == pytest.approx(0)
    assert torch.equal(ours.nearest, torch.bincount(torch.from_numpy(which)))


def test_26_000_perfect_draws_of_1000_modes_find_them_all_and_score_0_019():
    labels = torch.randint(1000, (26_000,))
    counted = label_statistics(labels, 1000)
    assert perfect_found(1000, 26_000) == pytest.approx(1000, abs=1e-6)
    assert counted.found == 1000
    assert perfect_kl(1000, 26_000) == pytest.approx(0.0192, abs=1e-4)
    assert counted.reverse_kl == pytest.approx(perfect_kl(1000, 26_000), rel=0.2)


def test_few_draws_find_as_many_modes_as_the_birthdays_say():
    found = [label_statistics(torch.randint(10, (5,)), 10).found for _ in range(2000)]
    assert sum(found) / len(found) == pytest.approx(perfect_found(10, 5), abs=0.07)
    assert perfect_found(10, 5) == pytest.approx(10 * (1 - 0.9**5))
    assert perfect_found(1, 1) == 1


@pytest.mark.parametrize("samples", [torch.empty(0, 2), torch.tensor([[0.0, torch.nan]])])
def test_samples_that_cannot_be_counted_are_refused(samples):
    with pytest.raises(UserError, match="samples"):
        mode_statistics(samples, CENTRES, radius=1.0)
