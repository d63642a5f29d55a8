"""Images of one domain as another's: any size, whole and in tiles."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pushforward.config import config_from
from pushforward.errors import UserError
from pushforward.models import translation
from pushforward.models.model import Model
from pushforward.models.store import described
from pushforward.models.translation import GRAIN, SMALLEST_TILE, _starts, bytes_a_pixel, in_tiles
from tests.runs import build
from tests.two_streams import TranslatorRecipe

SHAPE = (1, 16, 16)


def made(method="cyclegan", norms=True, **options) -> Model:
    algorithm = build(method, SHAPE, **options).eval()
    if not norms:
        for module in algorithm.modules():
            for name, child in module.named_children():
                if isinstance(child, nn.InstanceNorm2d):
                    setattr(module, name, nn.Identity())
    # At its start the output is all but 0, and any error with it.
    for weight in algorithm.parameters():
        weight.data.mul_(14)
    about = {"method": method, "options": {}, "step": 0, **described({"a": SHAPE, "b": SHAPE})}
    return Model(algorithm, about)


def images(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize(("h", "w"), [(8, 8), (9, 30), (17, 16), (51, 34)])
@pytest.mark.parametrize("to", ["a", "b"])
def test_sides_that_the_stride_does_not_divide_are_padded_by_reflection_and_cut(to, h, w):
    model, x = made(), images(2, 1, h, w)
    generator = getattr(model.algorithm, f"generator_{to}")
    padded = F.pad(x, (0, -w % 4, 0, -h % 4), mode="reflect")
    with torch.no_grad():
        expected = generator.layers(padded)[..., :h, :w]
    got = model.translate(x, to=to)
    assert got.shape == x.shape
    torch.testing.assert_close(got, expected, rtol=0, atol=0)


def test_larger_images_go_in_smaller_batches_and_come_out_the_same():
    model, x = made(), images(5, 1, 32, 48)
    whole = model.translate(x, to="b")
    seen = []
    model.algorithm.generator_b.register_forward_hook(lambda module, given, out: seen.append(len(out)))
    model.batch_size = 12  # of 16 × 16 pixels
    torch.testing.assert_close(model.translate(x, to="b"), whole)
    assert seen == [2, 2, 1]
    one = torch.cat([model.translate(row, to="b") for row in x.split(1)])
    torch.testing.assert_close(one, whole)


def test_bytes_are_taken_and_the_random_state_is_left_alone():
    model = made()
    pixels = torch.randint(0, 256, (2, 1, 20, 12), dtype=torch.uint8)
    before = torch.random.get_rng_state()
    got = model.translate(pixels, to="a")
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.testing.assert_close(got, model.translate(pixels / 127.5 - 1, to="a"))


@pytest.mark.parametrize(("h", "w"), [(300, 470), (128, 300), (273, 256), (256, 257), (90, 700)])
def test_tiles_equal_the_whole_where_no_pixel_sees_further_than_a_sixteenth(h, w):
    """Without blocks a pixel sees 15 others on each side: 3 + 1 + 2 on the way in, 4 + 2 + 3 out."""
    model, x = made(norms=False, blocks=0), images(1, 1, h, w)
    whole, tiled = model.translate(x, to="b"), model.translate(x, to="b", tile=256)
    assert whole.std() > 0.05
    assert (whole - tiled).abs().max() < 1e-4


@pytest.mark.parametrize(("h", "w"), [(90, 700), (128, 300), (256, 256), (57, 1000)])
def test_tiles_equal_the_whole_with_norms_too_where_the_whole_has_no_more_pixels_than_a_tile(h, w):
    model, x = made(blocks=0), images(2, 1, h, w)
    whole, tiled = model.translate(x, to="b"), model.translate(x, to="b", tile=256)
    assert whole.std() > 0.05
    assert (whole - tiled).abs().max() < 1e-4


def test_tiles_of_a_larger_picture_come_nearer_to_the_whole_than_by_their_own_statistics():
    """Of a smooth picture, dark on one side and bright on the other: a tile of one side forgets which."""
    smooth = F.interpolate(images(1, 1, 10, 30), scale_factor=30, mode="bicubic")
    model, x = made(blocks=0), 0.3 * smooth + torch.linspace(-0.7, 0.7, 900)
    whole = model.translate(x, to="b")
    with torch.no_grad():
        own = in_tiles(lambda part: model.algorithm.translate(part, "b"), x, 256)
    tiled = model.translate(x, to="b", tile=256)
    assert 0 < (tiled - whole).abs().mean() < 0.3 * (own - whole).abs().mean()
    assert torch.equal(model.translate(x, to="b"), whole)  # nothing stays behind


@pytest.mark.parametrize("tile", [64, 79, 80, 100, 256])
@pytest.mark.parametrize("side", [64, 65, 79, 81, 130, 999])
def test_tiles_cover_every_pixel_with_weights_of_one(tile, side):
    sides: set[int] = set()

    def seen(x):
        sides.update(x.shape[2:])
        return x

    x = images(1, 2, side, 70)
    torch.testing.assert_close(in_tiles(seen, x, tile), x)
    assert max(sides) <= tile
    assert min(sides) >= min(side, SMALLEST_TILE - GRAIN + 1)


def test_tiles_begin_on_the_grain_and_the_last_ends_with_the_side():
    assert _starts(100, 128, 32) == [0]
    assert _starts(129, 128, 32) == [0, 16]
    assert _starts(400, 128, 32) == [0, 96, 192, 272]


def test_a_step_between_neighbouring_tiles_is_a_ramp():
    """Of a method whose tiles differ in brightness, no pixel jumps by more than the ramp's slope."""
    counted = iter(range(100))
    tiled = in_tiles(
        lambda part: torch.full_like(part, float(next(counted))), torch.zeros(1, 1, 64, 300), 128
    )
    assert tiled.max() == 2
    assert tiled.diff(dim=3).abs().max() < 1.01 / 16


@pytest.mark.parametrize(
    ("shape", "asked", "said"),
    [
        ((1, 1, 16, 16), {"to": "c"}, "`to`: 'c'; expected one of a, b"),
        ((1, 3, 16, 16), {"to": "a"}, r"x: shape \(1, 3, 16, 16\); expected \(n, 1, h, w\)"),
        ((1, 16, 16), {"to": "a"}, r"expected \(n, 1, h, w\)"),
        ((0, 1, 16, 16), {"to": "a"}, "x: no images; expected at least one"),
        ((1, 1, 7, 16), {"to": "a"}, "x: images of 7x16; expected sides of at least 8 pixels"),
        ((1, 1, 80, 80), {"to": "a", "tile": 63}, "`tile`: 63; expected at least 64 pixels"),
    ],
)
def test_what_cannot_be_translated_is_refused_in_a_line(shape, asked, said):
    with pytest.raises(UserError, match=said):
        made().translate(images(*shape), **asked)


def test_a_method_of_one_size_takes_that_alone():
    algorithm = TranslatorRecipe().build(a=SHAPE, b=(3, 16, 16)).eval()
    about = {"method": "toy", "step": 0, **described({"a": SHAPE, "b": (3, 16, 16)})}
    model = Model(algorithm, about)
    assert model.translate(images(2, *SHAPE), to="b").shape == (2, 3, 16, 16)
    assert model.translate(images(2, 3, 16, 16), to="a").shape == (2, *SHAPE)
    with pytest.raises(UserError, match=r"x: shape \(2, 1, 20, 20\); expected \(n, 1, 16, 16\)"):
        model.translate(images(2, 1, 20, 20), to="b")


def test_a_method_without_domains_says_what_it_can():
    options = config_from({"method": "vae"}, where="test").to_dict()["options"]
    about = {"method": "vae", "options": options, "step": 0, **described({"data": SHAPE})}
    model = Model(build("vae", SHAPE), about)
    with pytest.raises(UserError, match="translate: the method 'vae' has no second domain to translate to"):
        model.translate(images(1, *SHAPE), to="b")
    assert "translate" in made().abilities


def test_an_image_that_would_fill_the_memory_is_refused_and_its_tiles_are_not(monkeypatch):
    """Width 2: the widest layer reads 2 × 64² and writes 2 × 70² numbers of 4 bytes, at 64 pixels a side."""
    model, x = made(), images(1, 1, 200, 300)
    need = bytes_a_pixel(model.algorithm, lambda part: model.algorithm.translate(part, "b"), 1)
    assert need == 2 * 4 * 2 * (64**2 + 70**2) / 64**2
    model.batch_size = 1
    monkeypatch.setattr(translation, "available_bytes", lambda: int(need * 200 * 300) - 1)
    with pytest.raises(UserError, match=r"x: images of 200x300 need about 0.0 GiB.*give a smaller `tile`"):
        model.translate(x, to="b")
    assert model.translate(x, to="b", tile=128).shape == x.shape
    monkeypatch.setattr(translation, "available_bytes", lambda: int(need * 200 * 300) + 1)
    assert model.translate(x, to="b").shape == x.shape
