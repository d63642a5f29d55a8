import json

import pytest
import torch
from torch import nn

from pushforward.core import Algorithm, Player
from pushforward.ensembles.mixture import MixtureModel
from pushforward.errors import UserError
from pushforward.training.checkpoint import split_state


class Constant(Algorithm):
    """Samples its own level, always."""

    def __init__(self, level):
        super().__init__()
        self.level = nn.Parameter(torch.tensor([float(level)]))

    def players(self):
        return {"level": Player(module=self)}

    def step(self, draw):
        yield from ()

    def sample(self, n):
        return self.level.expand(n, 1)


class Mute(Constant):
    sample = None


def mixture(*levels):
    m = MixtureModel([Constant(0) for _ in levels])
    for i, level in enumerate(levels):
        m.add(i, Constant(level), 1 / (i + 1))
    return m


@pytest.mark.parametrize("t", [1, 2, 3, 10])
def test_one_over_t_makes_all_components_equal(t):
    assert torch.allclose(mixture(*range(t)).weights, torch.full((t,), 1 / t, dtype=torch.float64))


def test_the_old_mixture_is_scaled_by_one_minus_beta():
    m = MixtureModel([Constant(0) for _ in range(3)])
    m.add(0, Constant(1), 1.0)
    m.add(1, Constant(2), 0.3)
    m.add(2, Constant(3), 0.5)
    assert m.weights.tolist() == pytest.approx([0.35, 0.15, 0.5])


def test_samples_come_from_each_component_as_often_as_it_weighs():
    m = MixtureModel([Constant(0) for _ in range(2)])
    m.add(0, Constant(1), 1.0)
    m.add(1, Constant(5), 0.2)
    torch.manual_seed(0)
    x = m.sample(20_000)
    assert x.shape == (20_000, 1)
    assert not x.requires_grad
    share = (x == 5).double().mean().item()
    assert abs(share - 0.2) < 4 * (0.2 * 0.8 / 20_000) ** 0.5
    # In random order, as independent draws are, not one component after another.
    assert abs((x[:5000] == 5).double().mean().item() - 0.2) < 4 * (0.2 * 0.8 / 5000) ** 0.5


def test_a_partial_mixture_samples_what_is_trained_and_an_empty_one_says_so():
    m = MixtureModel([Constant(0) for _ in range(4)])
    with pytest.raises(UserError, match="no trained component yet"):
        m.sample(3)
    m.add(0, Constant(7), 1.0)
    assert m.trained == 1
    assert (m.sample(50) == 7).all()


def test_a_mixture_is_saved_and_loaded_as_one_model():
    m = mixture(1, 2, 3)
    tensors, extra = split_state(m.state_dict())
    assert json.loads(json.dumps(extra)) == extra
    again = MixtureModel([Constant(0) for _ in range(3)])
    again.load_state_dict({**tensors, **extra})
    for model in (m, again):
        torch.manual_seed(1)
        model.drawn = model.sample(100)
    assert torch.equal(m.drawn, again.drawn)


def test_it_has_no_players_and_no_step():
    m = mixture(1)
    assert m.players() == {}
    with pytest.raises(UserError, match="pushforward train adagan"):
        m.step(None)


@pytest.mark.parametrize(("index", "beta"), [(0, 1.0), (0, 0.5), (1, 1.0), (1, 0.0), (1, 1.5)])
def test_a_component_that_does_not_fit_the_mixture_is_refused(index, beta):
    m = MixtureModel([Constant(0) for _ in range(3)])
    m.add(0, Constant(1), 1.0)
    with pytest.raises(ValueError, match="component"):
        m.add(index, Constant(2), beta)


def test_an_algorithm_that_cannot_sample_is_refused():
    with pytest.raises(UserError, match="`component`: Mute cannot sample"):
        MixtureModel([Mute(1)])
