"""R3GAN's schedules: those of its authors, on the loop's clock."""

from __future__ import annotations

import pytest
import torch

from pushforward.algorithms.r3gan import R3GANHyperparameters
from pushforward.core import Clock
from pushforward.errors import UserError
from pushforward.training.optim import Averages, build_optimizers, set_rates
from tests.runs import build


def test_schedules_are_those_of_the_authors_code():
    """Half cosines: γ and the rate fall, β2 and the half-life of the average rise."""
    hyper = R3GANHyperparameters(gamma=2.0, gamma_end=0.1, ema_share=0.05)
    start, middle, end = (Clock(step=step, steps=1000) for step in (0, 500, 1000))
    assert [hyper.betas_at(c)["betas"][1] for c in (start, middle, end)] == pytest.approx([0.9, 0.945, 0.99])
    assert [hyper.gamma_at(c) for c in (start, end)] == pytest.approx([2.0, 0.2])
    assert hyper.decay_at(start) == 0.0  # the average is the weights themselves
    assert hyper.decay_at(end) ** 50 == pytest.approx(0.5)  # a half-life of 5 % of the steps
    assert hyper.decay_at(middle) ** 25 == pytest.approx(0.5)


def test_the_loop_sets_betas_and_averages_by_the_clock():
    model = build("r3gan", (2,), latent_dim=2, hidden=(4,), critic_hidden=(4,))
    players = model.players()
    optimizers, averages = build_optimizers(players), Averages(players)
    weight = next(players["generator"].module.parameters())
    clock = Clock(step=1000, steps=1000)
    set_rates(optimizers, players, clock)
    assert all(o.param_groups[0]["betas"] == pytest.approx((0.0, 0.99)) for o in optimizers.values())
    before = weight.detach().clone()
    with torch.no_grad():
        weight.add_(1.0)
    averages.update(clock)
    with averages.published():
        torch.testing.assert_close(weight.detach() - before, torch.full_like(before, 1 - 0.5 ** (1 / 25)))


def test_a_fixed_decay_or_none_takes_the_place_of_the_growing_one():
    assert R3GANHyperparameters(ema=0.9).averaging() == 0.9
    assert R3GANHyperparameters(ema_share=0).averaging() is None
    with pytest.raises(UserError, match="`beta2_end`: 1"):
        R3GANHyperparameters(beta2_end=1.0).check()
    with pytest.raises(UserError, match="`ema_share`: 2"):
        R3GANHyperparameters(ema_share=2.0).check()
