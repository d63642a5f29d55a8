"""A generator that hops is told from one that has collapsed for good, and from health."""

from __future__ import annotations

import math

import pytest
import torch

from pushforward.data import toys
from pushforward.diagnostics.oscillation import WINDOW, diagnose_oscillation, oscillation, turnover

K, N = 8, 2500


def at(*modes):
    counts = torch.zeros(K, dtype=torch.int64)
    counts[list(modes)] = N // len(modes)
    return counts


def test_turnover_is_the_total_variation():
    assert turnover([at(0), at(1)]) == 1
    assert turnover([at(0, 1), at(1, 2)]) == pytest.approx(0.5)
    assert turnover([at(0), at(0), at(1)]) == pytest.approx(0.5)
    assert turnover([at(0)]) == 0
    assert turnover([at(0), torch.zeros(K, dtype=torch.int64), at(0)]) == 0


def test_hopping_from_mode_to_mode_is_found():
    finding = diagnose_oscillation([at(i % K) for i in range(9)], command="cure")
    assert (finding.name, finding.command) == ("mode-oscillation", "cure")
    assert "1.0 of 8 at a time and over 6.0" in finding.evidence


def test_hopping_between_two_is_found():
    assert diagnose_oscillation([at(i % 2) for i in range(9)]) is not None


@pytest.mark.parametrize(
    "history",
    [
        [at(3)] * 9,  # collapsed for good
        [at(0), at(1), at(2)],  # too early to tell
        [at(i) for i in range(8)] + [at(*range(K))] * WINDOW,  # it hopped, and settled
        [at(*range(i + 1)) for i in range(8)],  # it learns one mode after the other
    ],
)
def test_other_histories_are_not(history):
    assert diagnose_oscillation(history) is None


@pytest.mark.parametrize("modes", [toys.ring_modes(), toys.grid_modes()], ids=lambda m: m.name)
def test_samples_of_the_data_do_not_oscillate(modes):
    history = [
        torch.bincount(torch.from_numpy(toys.draw(modes, N, seed=s)[1]), minlength=len(modes))
        for s in range(8)
    ]
    seen = oscillation(history)
    # ½ Σ|p - q| of two histograms, each share off by sqrt(p(1-p)/n): k·½·sqrt(2/π)·sqrt(2p(1-p)/n)
    k = len(modes)
    expected = k / 2 * math.sqrt(2 / math.pi) * math.sqrt(2 * (1 / k) * (1 - 1 / k) / N)
    assert seen.turnover == pytest.approx(expected, rel=0.35)
    assert diagnose_oscillation(history) is None


@pytest.mark.parametrize(("k", "n"), [(8, 2500), (25, 2500), (20, 200)])
def test_the_turnover_of_samples_of_the_data_is_as_told(k, n):
    generator = torch.Generator().manual_seed(0)
    history = [torch.bincount(torch.randint(k, (n,), generator=generator), minlength=k) for _ in range(400)]
    assert turnover(history) == pytest.approx(math.sqrt((k - 1) / (math.pi * n)), rel=0.05)
