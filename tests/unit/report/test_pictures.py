"""Pictures of a model: which are shown, in which order, and how large."""

from __future__ import annotations

import base64
import io

import pytest
import torch
from PIL import Image

from pushforward.core import to_uint8
from pushforward.models.model import Model
from pushforward.pictures.tiles import grid, pairs, rows
from pushforward.report.facts import affordable
from pushforward.report.film import film
from pushforward.report.inline import CELL, MOST_CELL, tiles
from tests.runs import SHAPE, build


def opened(uri: str) -> Image.Image:
    kind, _, content = uri.partition(",")
    assert kind == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_grid_without_border_has_clear_gaps(channels):
    images = torch.ones(4, channels, 8, 8)
    picture = grid(images, columns=2, clear=True)
    assert picture.size == (18, 18)
    alpha = picture.convert("RGBA").getchannel("A")
    assert (alpha.getpixel((0, 0)), alpha.getpixel((8, 0)), alpha.getpixel((10, 10))) == (255, 0, 255)


def test_small_images_are_enlarged_by_whole_factors_and_large_ones_reduced():
    small = opened(tiles(torch.zeros(1, 1, 8, 8)))
    assert small.size == (56, 56)
    assert small.width >= CELL
    assert opened(tiles(torch.zeros(1, 3, 256, 256))).size == (MOST_CELL, MOST_CELL)


def test_a_film_is_even_short_and_leaves_out_what_is_damaged(tmp_path):
    folder = tmp_path / "samples"
    folder.mkdir()
    picture = grid(torch.zeros(64, 1, 8, 8))
    for step in (*range(0, 200, 10), 200, 201):
        picture.save(folder / f"step-{step:07d}.png")
    (folder / "step-0000000.png").write_bytes(b"broken")
    steps = [frame.step for frame in film(tmp_path, (1, 8, 8))]
    assert len(steps) == 7
    assert steps[-1] == 201
    assert 201 not in [frame.step for frame in film(tmp_path, (1, 8, 8), but=201)]


def test_a_frame_shows_the_first_images_of_the_grid(tmp_path):
    (tmp_path / "samples").mkdir()
    images = torch.linspace(-1, 1, 64).view(64, 1, 1, 1).expand(64, 3, 28, 28)
    grid(images).save(tmp_path / "samples" / "step-0000001.png")
    frame = opened(film(tmp_path, (3, 28, 28))[0].uri)
    assert frame.size == ((4 * 28 + 3 * 2) * 2,) * 2
    expected = to_uint8(images[8 + 1])[0, 0, 0].item()  # second row, second column
    assert frame.getpixel((2 * (30 + 5), 2 * (30 + 5)))[0] == expected


def test_a_grid_of_another_size_is_shown_whole(tmp_path):
    (tmp_path / "samples").mkdir()
    Image.new("L", (800, 400)).save(tmp_path / "samples" / "step-0000001.png")
    assert opened(film(tmp_path, (1, 8, 8))[0].uri).size == (400, 200)


def test_pairs_put_each_image_above_its_counterpart():
    x, x_hat = torch.ones(3, 1, 8, 8), -torch.ones(3, 1, 8, 8)
    picture = pairs(x, x_hat, columns=2, gap=4)
    assert picture.size == (22, 22 + 4 + 22)
    assert [picture.getpixel((5, y)) for y in (5, 15, 31, 41)] == [255, 0, 255, 0]


def test_rows_are_labelled():
    picture = rows(torch.zeros(2, 3, 1, 28, 28), ["z0", "a longer label"], ["-1", "0", "1"])
    body = grid(torch.zeros(6, 1, 28, 28), columns=3)
    assert picture.width > body.width
    label = picture.crop((0, picture.height - 30, picture.width - body.width, picture.height))
    assert label.convert("L").getextrema()[0] < 100  # something dark is written there


def test_a_model_of_many_network_calls_is_looked_at_on_fewer_rows():
    """A flow takes 100 calls to encode an image: on 500 of them a report would take minutes."""
    algorithm = build("flow-matching", sampler_steps=50)
    assert algorithm.passes == 100  # midpoint
    model = Model(algorithm, {"method": "flow-matching", "shape": list(SHAPE), "step": 0})
    assert affordable(model, 500) == 20
    assert affordable(model, 5000) == 50
    assert affordable(model, 7) == 7
    vae = Model(build("vae"), {"method": "vae", "shape": list(SHAPE), "step": 0})
    assert affordable(vae, 500) == 500
