"""Penalties and multipliers against their formulas, and on the smallest constrained problem."""

from __future__ import annotations

import math

import pytest
import torch

from pushforward.objectives.constraints import (
    LOG_MULTIPLIER_REACH,
    ascend,
    capacity_penalty,
    free_bits,
    moving_average,
    relative_distortion_excess,
    relative_rate_excess,
    warm_up,
)


def test_capacity_is_paid_for_on_both_sides():
    for kl in (3.0, 7.0):
        t = torch.tensor(kl, requires_grad=True)
        penalty = capacity_penalty(t, 5.0, gamma=1000.0)
        penalty.backward()
        assert penalty.item() == 2000
        assert t.grad == math.copysign(1000, kl - 5)


def test_free_bits_count_the_batch_mean_of_each_dimension():
    kl = torch.tensor([[0.0, 1.0, 0.5], [0.2, 3.0, 0.7]], requires_grad=True)  # means 0.1, 2, 0.6
    total = free_bits(kl, nats=0.25)
    assert total.item() == pytest.approx(0.25 + 2 + 0.6)
    total.backward()
    assert torch.equal(kl.grad, torch.tensor([[0.0, 0.5, 0.5]] * 2))


def test_no_free_bits_are_the_kl():
    kl = torch.rand(7, 3)
    torch.testing.assert_close(free_bits(kl, nats=0.0), kl.sum(1).mean())


def test_warm_up_is_linear_and_then_whole():
    assert [warm_up(f, share=0.4) for f in (0.0, 0.1, 0.4, 1.0)] == [0, 0.25, 1, 1]
    assert warm_up(0.0, share=0.0) == 1


def test_violations_are_relative_and_bounded():
    t = torch.tensor
    assert relative_rate_excess(t(15.0), 10.0) == 0.5
    assert relative_rate_excess(t(0.0), 10.0) == -1
    assert relative_rate_excess(t(1e9), 10.0) == 1

    def excess(distortion, kl, lambda_):
        return relative_distortion_excess(
            t(distortion), 80.0, kl=t(kl), log_multiplier=t(lambda_).log()
        ).item()

    assert excess(80.5, 20.0, 2.0) == pytest.approx(2 * 0.5 / 20)
    at_most = pytest.approx(0.1)
    assert excess(540.0, 0.0, 1.0) == at_most  # at the start, before the code carries anything
    assert -excess(-1e4, 20.0, 1.0) == at_most


def test_the_average_of_a_constant_is_that_constant_from_the_first_step():
    total, weight = torch.zeros(2), torch.zeros(())
    value = torch.tensor([3.0, -7.0])
    for _ in range(3):
        total, weight = moving_average(total, weight, value, decay=0.99)
        torch.testing.assert_close(total / weight, value)


def test_the_average_forgets_by_its_decay():
    total, weight = torch.zeros(()), torch.zeros(())
    for value in (1.0, 0.0, 0.0):
        total, weight = moving_average(total, weight, torch.tensor(value), decay=0.5)
    assert (total / weight).item() == pytest.approx(0.25 / 1.75)


def test_dual_ascent_solves_a_constrained_problem():
    """min ½(a - x)² subject to x ≤ b: x = b and β = a - b where a > b, else x = a and β = 0."""
    for a, b in ((3.0, 1.0), (1.0, 2.0)):
        log_beta = torch.zeros(())
        for _ in range(4000):
            x = a - log_beta.exp()  # the minimiser of the Lagrangian
            log_beta = ascend(log_beta, x - b, rate=0.01)
        beta = log_beta.exp().item()
        assert beta == pytest.approx(max(0.0, a - b), abs=1e-4)
        assert beta * (a - beta - b) == pytest.approx(0, abs=1e-4)


def test_a_multiplier_can_come_back_from_its_reach():
    reach = ascend(torch.tensor(0.0), torch.tensor(1.0), rate=1e9)
    assert reach == LOG_MULTIPLIER_REACH
    assert ascend(reach, torch.tensor(-1.0), rate=0.5) == LOG_MULTIPLIER_REACH - 0.5
