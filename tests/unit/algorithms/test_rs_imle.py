"""RS-IMLE: every datum has a match, so no mode is dropped; what it refuses; and that it is no game."""

from __future__ import annotations

import math

import pytest
import torch

from pushforward.abilities import Adversarial, Decodes, Samples, offers
from pushforward.algorithms.rs_imle import RSIMLE
from pushforward.core import Batch
from pushforward.errors import UserError
from pushforward.objectives.matching import root_mean_squares
from pushforward.recipes.rs_imle import RSIMLERecipe
from pushforward.training.fit import fit


def build(shape: tuple[int, ...] = (2,), **options) -> RSIMLE:
    torch.manual_seed(0)
    return RSIMLERecipe(**{"latent_dim": 2, "hidden": (32, 32), "ema": None, **options}).build(shape)


def draws_of(points: torch.Tensor, size: int, noise: float = 0.0):
    def draw(name: str = "data", n: int | None = None) -> Batch:
        index = torch.randint(len(points), (n or size,))
        x = points[index] + noise * torch.randn(len(index), points.shape[1])
        return Batch(x=x, label=None, index=index)

    return draw


def ring(modes: int = 8) -> torch.Tensor:
    angles = torch.arange(modes) * 2 * math.pi / modes
    return torch.stack([angles.cos(), angles.sin()], 1)


def shares(model: RSIMLE, modes: torch.Tensor, within: float) -> torch.Tensor:
    """Share of samples within a distance of each mode."""
    torch.manual_seed(1)
    far = torch.cdist(model.sample(2000), modes)
    return (far < within).float().mean(0)


@pytest.mark.parametrize(("pool", "epsilon"), [(8, 0.0), (64, 0.1)])
def test_both_of_two_points_are_covered(pool, epsilon):
    """About equally. Many samples lie between them: coverage is promised, not quality."""
    points = torch.tensor([[-1.0, 0.5], [1.0, -0.5]])
    model = build(epsilon=epsilon, pool=pool, lr=3e-3)
    fit(model, draws_of(points, 32), steps=150)
    assert (shares(model, points, 0.2) > 0.05).all()


def test_all_modes_of_a_ring_are_found():
    model = build(pool=256, epsilon=0.1, hidden=(64, 64), lr=3e-3)
    fit(model, draws_of(ring(), 128, noise=0.01), steps=200)
    assert (shares(model, ring(), 0.2) > 0.01).all()


def test_a_rare_datum_has_its_match_too():
    """One in thirty, which a GAN drops."""
    points = torch.tensor([[0.0, 0.0]] * 29 + [[2.0, 2.0]])
    model = build(pool=256, epsilon=0.0)
    fit(model, draws_of(points, 64), steps=250)
    torch.manual_seed(1)
    assert torch.cdist(model.sample(4000), points[-1:]).min() < 0.2


def test_matches_are_the_nearest_samples_of_the_pool():
    model = build(pool=50, epsilon=0.0)
    x = torch.randn(8, 2)
    torch.manual_seed(3)
    z, info = model.matches(x)
    torch.manual_seed(3)
    pool = model.sample_prior(50)
    distances = root_mean_squares(x, model.generator(pool))
    torch.testing.assert_close(z, pool[distances.argmin(1)])
    torch.testing.assert_close(info["matched_distance"], distances.min(1).values.mean())


def test_rejection_leaves_no_match_nearer_than_epsilon():
    model = build(pool=200, epsilon=0.1)
    x = model.sample(20)
    z, info = model.matches(x)
    assert 0 < info["rejected"] < 1
    assert root_mean_squares(x, model.decode(z)).min() >= 0.1 - 1e-4


def test_a_pool_serves_several_batches_of_which_each_is_a_step():
    model = build(pool=16, batches_per_pool=3)
    model.clock.steps = 1
    calls = []

    def draw(name: str = "data", n: int | None = None) -> Batch:
        calls.append(name)
        return Batch(x=torch.randn(5, 2), label=None, index=torch.arange(5))

    assert len([*model.step(draw)]) == len(calls) == 3


def test_projected_distances_are_those_of_the_whole_on_average():
    model = build((1, 8, 8), projection=2000, network="mlp")
    x, y = torch.rand(3, 1, 8, 8), torch.rand(4, 1, 8, 8)
    whole = root_mean_squares(x.flatten(1), y.flatten(1))
    torch.testing.assert_close(
        root_mean_squares(model._compared(x), model._compared(y)), whole, rtol=0.1, atol=0
    )


def test_the_projection_is_kept_for_a_resume_but_not_published():
    model = build((1, 8, 8), projection=4)
    assert "directions" in model.state_dict()
    assert model.declared("training_only") == {"directions"}
    assert not build((1, 8, 8)).declared("training_only")


def test_it_samples_and_decodes_and_is_no_game():
    model = build()
    assert offers(model, Samples)
    assert offers(model, Decodes)
    assert not offers(model, Adversarial)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"pool": 0}, "pool"),
        ({"batches_per_pool": 0}, "batches_per_pool"),
        ({"latent_dim": 0}, "latent_dim"),
        ({"epsilon": -0.1}, "epsilon"),
        ({"projection": 0}, "projection"),
        ({"slope": 1.0}, "slope"),
        ({"width": 0}, "width"),
        ({"hidden": (0,)}, "hidden"),
        ({"network": "dcgan"}, "network"),
    ],
)
def test_what_cannot_be_is_refused_by_name(options, word):
    with pytest.raises(UserError, match=f"`{word}`"):
        build(**options)


def test_batch_norm_needs_two_rows():
    with pytest.raises(UserError, match="batch_size"):
        build(generator_norm="batch").check_batch(1)
    build().check_batch(1)
