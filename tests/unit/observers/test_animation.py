"""Frames show what the critic thinks where it thinks it, and become one moving picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from pushforward.core import Clock, Snapshot
from pushforward.data import Dataset
from pushforward.observers.animation import GridAnimation, LandscapeAnimation
from pushforward.pictures.animation import frames_until
from pushforward.pictures.landscape import LEFT, PLOT, TOP, Stage
from pushforward.pictures.points import Scene
from pushforward.pictures.tiles import grid, save_picture
from tests.runs import build

REAL = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]]).repeat(30, 1)


@pytest.fixture(scope="module")
def stage():
    return Stage(Scene.of(REAL))


def pixel(picture, x, y, scene):
    """The colour at a place of the data's plane."""
    left, right, bottom, top = scene.limits
    column = LEFT + int((x - left) / (right - left) * PLOT)
    row = TOP + int((top - y) / (top - bottom) * PLOT)
    return np.asarray(picture.convert("RGB"))[row, column].astype(int)


def test_high_scores_are_warm_low_ones_cold_and_the_middle_is_paper(stage):
    picture = stage.frame(torch.zeros(1, 2), 3 + stage.grid[:, 0], middle=3.0, step=7)
    warm, cold, middle = (pixel(picture, x, 0.5, stage.scene) for x in (1.2, -1.2, 0.0))
    assert warm[0] > warm[2] + 30
    assert cold[2] > cold[0] + 20
    assert middle.tolist() == [253, 252, 250]


def test_samples_lie_where_they_are_and_those_outside_nowhere(stage):
    flat = torch.zeros(len(stage.grid))
    picture = stage.frame(torch.tensor([[0.5, 0.25], [99.0, 0], [float("nan"), 0]]), flat, middle=0, step=7)
    assert pixel(picture, 0.5, 0.25, stage.scene)[0] < 60
    whole = np.asarray(picture.convert("RGB"))[TOP : TOP + PLOT, LEFT : LEFT + PLOT].astype(int)
    dark = ((whole[..., 0] < 60) & (whole[..., 2] > 100)).sum()
    assert 5 <= dark <= 13  # one disc


def test_real_points_shine_through_and_samples_lie_on_top(stage):
    flat = torch.zeros(len(stage.grid))
    alone = pixel(stage.frame(torch.zeros(0, 2), flat, middle=0, step=0), 1, 1, stage.scene)
    covered = pixel(stage.frame(REAL, flat, middle=0, step=0), 1, 1, stage.scene)
    assert alone[0] > 200 > alone[2]
    assert covered[0] < 60


def test_the_grid_is_the_pictures(stage):
    """The first score is the upper left corner's."""
    left, right, bottom, top = stage.scene.limits
    assert stage.grid[0].tolist() == pytest.approx([left, top])
    assert stage.grid[-1].tolist() == pytest.approx([right, bottom])


def realness(model, x, real):
    return model.games()["game"].realness(x, beside=real)


def test_single_points_are_scored_by_any_critic():
    x, real = torch.randn(9, 2), torch.randn(20, 2)
    plain = build("gan", (2,)).eval()
    assert torch.equal(realness(plain, x, real), plain.critic.network(x).flatten())
    packed = build("pacgan", (2,)).eval()  # three at once
    beside = torch.cat([x, real[:1].expand(9, -1), real[1:2].expand(9, -1)], 1)
    assert torch.equal(realness(packed, x, real), packed.critic.network(beside).flatten())
    pairs = build("veegan", (2,)).eval()
    expected = -pairs.critic.network(x, pairs.encode(x)).flatten()
    assert torch.equal(realness(pairs, x, real), expected)


def observe(observer, algorithm, folder, step, steps):
    observer.observe(Snapshot(algorithm, Clock(step, steps), folder, torch.device("cpu")))


def test_a_run_becomes_a_moving_picture(tmp_path):
    algorithm, observer = build("gan", (2,)).eval(), LandscapeAnimation({"data": Dataset.of(REAL)}, every=2)
    assert [step for step in range(6) if observer.due(Clock(step, 5))] == [0, 2, 4, 5]
    for step in (0, 2, 4, 5):
        algorithm.generator[0].weight.data.mul_(1.5)
        observe(observer, algorithm, tmp_path, step, 5)
    with Image.open(tmp_path / "samples" / "animation.gif") as film:
        assert film.n_frames == 4
        assert film.info["loop"] == 0
        first = film.convert("RGB").copy()
    with Image.open(tmp_path / "samples" / "frames" / "step-0000000.png") as frame:
        assert np.array_equal(np.asarray(first), np.asarray(frame.convert("RGB")))


def test_frames_of_an_undone_future_go_away(tmp_path):
    for step in (0, 5, 10):
        save_picture(Image.new("L", (4, 4)), tmp_path / f"step-{step:07d}.png")
    assert [p.stem for p in frames_until(tmp_path, 5)] == ["step-0000000", "step-0000005"]
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("channels", [1, 3])
def test_grids_of_images_become_one_too(channels, tmp_path):
    (tmp_path / "samples").mkdir()
    generator = torch.Generator().manual_seed(0)
    for step in (0, 3, 6):
        images = torch.rand(16, channels, 8, 8, generator=generator) * 2 - 1
        save_picture(grid(images), tmp_path / "samples" / f"step-{step:07d}.png")
    observer = GridAnimation()
    assert [step for step in range(7) if observer.due(Clock(step, 6))] == [6]
    observe(observer, build("gan"), tmp_path, 6, 6)
    with Image.open(tmp_path / "samples" / "animation.gif") as film:
        assert film.n_frames == 3
