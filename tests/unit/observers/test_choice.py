"""Who is looked at, and by whom."""

from __future__ import annotations

import pytest

from pushforward.config import RunConfig, TrainOptions
from pushforward.methods import recipe_class
from pushforward.observers.choice import adversarial_observers
from tests.runs import SHAPE, build, small_images
from tests.unit.observers.test_health import ring


def chosen(method, data, shape, *, steps=100, weighted=False, **train):
    config = RunConfig(method=method, train=TrainOptions(**train), options=recipe_class(method)())
    made = adversarial_observers(build(method, shape), {"data": data}, config, steps=steps, weighted=weighted)
    return [type(o).__name__ for o in made]


def test_points_in_the_plane_get_a_landscape_and_images_a_film():
    assert chosen("gan", ring(60), (2,)) == ["AdversarialHealth", "LandscapeAnimation"]
    assert chosen("gan", small_images(), SHAPE) == ["AdversarialHealth", "GridAnimation"]


def test_no_pictures_no_animation():
    assert chosen("gan", ring(60), (2,), sample_every=0) == ["AdversarialHealth"]


def test_a_component_that_is_meant_to_leave_modes_out_is_not_judged():
    assert chosen("gan", ring(60), (2,), weighted=True) == ["LandscapeAnimation"]


@pytest.mark.parametrize("method", ["vae", "ae"])
def test_methods_without_a_critic_get_none(method):
    assert chosen(method, small_images(), SHAPE) == []
