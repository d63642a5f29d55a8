"""Pictures of points: what they are seen in, and what lies outside of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from pushforward.core import Algorithm, Clock, Snapshot
from pushforward.data.toys import draw, grid_modes
from pushforward.observers.samples import PointPictures
from pushforward.pictures.points import Scene, scatter, without_axes


def orange(picture: Image.Image) -> int:
    """How many pixels have the hue of the real points; `blue`: of the model's."""
    red, _, blue = np.asarray(picture, int).transpose(2, 0, 1)
    return int((red - blue > 40).sum())


def blue(picture: Image.Image) -> int:
    red, _, blue = np.asarray(picture, int).transpose(2, 0, 1)
    return int((blue - red > 40).sum())


def test_the_plane_is_shown_as_it_is_with_room_around_the_real_points():
    points = torch.from_numpy(draw(grid_modes(), 2000, seed=0)[0])
    scene = Scene.of(points)
    assert torch.equal(scene.see(points), points)
    left, right, bottom, top = scene.limits
    assert left < -4.5
    assert right > 4.5
    assert right - left == pytest.approx(top - bottom)
    assert scene.outside(points) == 0


def test_points_outside_are_counted_and_so_are_those_that_are_no_numbers():
    scene = Scene.of(torch.randn(500, 2))
    strange = torch.tensor([[0.0, 0.0], [1e6, 0.0], [0.0, -1e6], [torch.nan, 0.0], [0.0, torch.inf]])
    assert scene.outside(scene.see(strange)) == 4


def test_one_far_outlier_does_not_shrink_the_picture():
    points = torch.randn(2500, 2)
    points[7] = 1e4
    assert Scene.of(points).limits[1] < 20


def test_more_dimensions_are_seen_along_the_axes_of_most_variance():
    points = torch.randn(3000, 6) * torch.tensor([0.1, 5.0, 0.1, 0.1, 2.0, 0.1])
    scene = Scene.of(points)
    seen = scene.see(points)
    assert np.corrcoef(seen[:, 0], points[:, 1])[0, 1] == pytest.approx(1, abs=0.01)
    assert np.corrcoef(seen[:, 1], points[:, 4])[0, 1] == pytest.approx(1, abs=0.01)
    shares = [int(name.partition("(")[2].partition("%")[0]) for name in scene.names]
    assert shares == pytest.approx([100 * 25 / 29.04, 100 * 4 / 29.04], abs=2)


def test_real_points_in_many_dimensions_look_no_wider_than_others_of_their_kind():
    points = torch.randn(6000, 400)
    scene = Scene.of(points[:3000])
    others = scene.see(points[3000:])
    assert scene.real[:, 0].std().item() == pytest.approx(others[:, 0].std().item(), rel=0.1)


@pytest.mark.parametrize("d", [1, 2, 5])
def test_a_picture_shows_both_and_is_the_same_each_time(d):
    real = torch.randn(400, d)
    drawn = 0.3 * torch.randn(100, d) + 0.5
    first, again = (scatter(Scene.of(real), drawn, title="step 3") for _ in range(2))
    assert first.size == (576, 576)
    assert np.array_equal(np.asarray(first), np.asarray(again))
    assert blue(first) > 100
    assert orange(first) > 100
    alone = scatter(Scene.of(real, behind=False), drawn)
    assert orange(without_axes(alone)) == 0


class Cloud(Algorithm):
    """Draws from the global random stream, as methods do."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def players(self):
        return {}

    def step(self, draw):
        yield from ()

    def sample(self, n):
        return torch.randn(n, 2)


def test_the_observer_writes_a_picture_of_the_same_draws_each_time(tmp_path):
    observer = PointPictures(torch.randn(300, 2), every=4, n=50)
    for step in (0, 4):
        observer.observe(Snapshot(Cloud(), Clock(step=step, steps=9), tmp_path, torch.device("cpu")))
        torch.randn(3)
    first, second = (Image.open(tmp_path / "samples" / f"step-{i:07d}.png") for i in (0, 4))
    assert np.array_equal(*(np.asarray(without_axes(p)) for p in (first, second)))
    assert [observer.due(Clock(step=i, steps=9)) for i in (0, 3, 4, 8, 9)] == [True, False, True, True, True]
