"""Noise of several processes: the global draw, sliced by rank."""

from __future__ import annotations

import pytest
import torch

from pushforward.errors import UserError
from pushforward.training.distributed import GlobalNoise, World

DRAWS = {
    "randn": lambda b: torch.randn(b, 3),
    "randn tuple": lambda b: torch.randn((b, 3)),
    "rand size=": lambda b: torch.rand(size=(b, 3)),
    "randn_like": lambda b: torch.randn_like(torch.zeros(b, 3)),
    "randint": lambda b: torch.randint(0, 100, (b, 3)),
    "randint high": lambda b: torch.randint(100, (b, 3)),
    "randint size=": lambda b: torch.randint(0, 10, size=[b, 1]),
    "normal size=": lambda b: torch.normal(0.0, 1.0, size=(b, 2)),
    "normal": lambda b: torch.normal(2.0, 1.0, (b, 2)),
    "randn_like input=": lambda b: torch.randn_like(input=torch.zeros(b, 3)),
    "normal_": lambda b: torch.empty(b, 3).normal_(2.0, 3.0),
    "exponential_": lambda b: torch.empty(b, 3).exponential_(),
    "uniform_": lambda b: torch.empty(b, 3).uniform_(-1, 1),
}


@pytest.mark.parametrize("name", list(DRAWS))
def test_two_ranks_draw_what_one_process_draws(name):
    draw = DRAWS[name]
    torch.manual_seed(1)
    whole = draw(4)
    slices, states = [], []
    for rank in (0, 1):
        torch.manual_seed(1)
        with GlobalNoise(World(rank=rank, size=2)):
            slices.append(draw(2))
        states.append(torch.get_rng_state())
    assert torch.equal(torch.cat(slices), whole)
    assert torch.equal(states[0], states[1])


def test_a_scalar_is_shared():
    values = []
    for rank in (0, 1):
        torch.manual_seed(1)
        with GlobalNoise(World(rank=rank, size=2)):
            values.append(torch.rand(()))
    assert values[0] == values[1]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: torch.nn.functional.dropout(torch.ones(3)),
        lambda: torch._standard_gamma(torch.ones(3)),
        lambda: torch.randint_like(torch.ones(3), 5),
    ],
)
def test_what_cannot_be_sliced_is_refused(draw):
    with GlobalNoise(World(rank=0, size=2)), pytest.raises(UserError, match="run one process"):
        draw()
