import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from pushforward.data.decode import Item, decode, formats
from pushforward.data.rows import Skip
from tests.unit.data.pictures import HEIGHT, WIDTH, encoded, noise, picture

formats()


def read(content, name="x.png", image_size=None, channels=None):
    return decode(Item(name, lambda: content), image_size=image_size, channels=channels)


def test_a_plain_image_is_read_as_it_is():
    pixels = noise(0, HEIGHT, WIDTH, 3)
    decoded = read(encoded(Image.fromarray(pixels), "PNG"))
    assert np.array_equal(decoded.pixels, pixels)
    assert decoded.size == (WIDTH, HEIGHT)
    assert decoded.converted == ()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_are_scaled_not_clipped(kind):
    values = np.arange(0, 65536, 64, dtype=np.uint16).reshape(32, 32)
    decoded = read(
        encoded(Image.fromarray(values), kind), name=f"x.{kind.lower()}"[:6].replace("tiff", "tif")
    )
    assert np.array_equal(decoded.pixels, np.rint(values / 257))
    assert "16-bit scaled" in decoded.converted


def test_sixteen_bit_colour_is_named():
    png = _png_16_bit_rgb()
    decoded = read(png)
    assert decoded.pixels.shape == (8, 8, 3)
    assert decoded.pixels[0, 0].tolist() == [0x12, 0xAB, 0xFF]
    assert decoded.converted == ("16-bit scaled",)


def _png_16_bit_rgb():
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    row = b"\0" + struct.pack(">HHH", 0x1200, 0xAB12, 0xFFFF) * 8
    header = struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row * 8)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_a_nan_is_skipped():
    image = Image.fromarray(np.resize(np.array([0.0, float("nan")], np.float32), (8, 8)))
    skip = read(encoded(image, "TIFF"), name="x.tif")
    assert isinstance(skip, Skip)
    assert skip.unreadable
    assert "NaN" in skip.reason


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("alpha", [0, 128, 255])
def test_alpha_is_composited_on_white(mode, alpha):
    depth = len(mode)
    pixels = np.full((8, 8, depth), 100, np.uint8)
    pixels[..., -1] = alpha
    decoded = read(encoded(Image.fromarray(pixels, mode), "PNG"))
    expected = 255 + (100 - 255) * alpha / 255
    assert decoded.pixels.shape == ((8, 8, 3) if mode == "RGBA" else (8, 8))
    assert np.abs(decoded.pixels - expected).max() <= 1
    assert decoded.converted == ("alpha composited on white",)


def test_a_transparent_colour_is_composited_on_white():
    pixels = np.full((8, 8), 7, np.uint8)
    pixels[0] = 200
    decoded = read(encoded(Image.fromarray(pixels), "PNG", transparency=7))
    assert (decoded.pixels[1:] == 255).all()
    assert (decoded.pixels[0] == 200).all()


def test_a_palette_with_transparency_is_composited_on_white():
    image = Image.new("P", (8, 8), 1)
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.paste(0, (0, 0, 8, 4))
    decoded = read(encoded(image, "PNG", transparency=0))
    assert (decoded.pixels[:4] == 255).all()
    assert (decoded.pixels[4:] == [40, 50, 60]).all()
    assert decoded.converted == ("palette", "alpha composited on white")


def test_alpha_is_kept_where_it_is_asked_for():
    pixels = noise(0, 8, 8, 4)
    decoded = read(encoded(Image.fromarray(pixels), "PNG"), channels=4)
    assert np.array_equal(decoded.pixels, pixels)
    assert decoded.converted == ()


def test_a_grey_palette_stays_grey():
    image = Image.fromarray(noise(0, 8, 8)).convert("P")
    assert read(encoded(image, "PNG")).pixels.ndim == 2
    assert read(encoded(picture(0).quantize(8), "PNG")).pixels.ndim == 3


def test_one_bit_becomes_black_and_white():
    decoded = read(encoded(Image.fromarray(noise(0, 8, 8) > 127), "PNG"))
    assert set(np.unique(decoded.pixels)) == {0, 255}


def test_cmyk_becomes_rgb():
    cmyk = Image.new("CMYK", (8, 8), (0, 0, 0, 0))
    decoded = read(encoded(cmyk, "TIFF"), name="x.tif")
    assert (decoded.pixels == 255).all()
    assert decoded.converted == ("CMYK",)


def test_exif_orientation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying, to be turned clockwise
    pixels = noise(0, 8, 16, 3)
    decoded = read(encoded(Image.fromarray(pixels), "PNG", exif=exif))
    assert np.array_equal(decoded.pixels, np.rot90(pixels, -1))
    assert decoded.size == (8, 16)
    assert decoded.converted == ("EXIF orientation",)


@pytest.mark.parametrize(("kind", "name"), [("GIF", "x.gif"), ("WEBP", "x.webp"), ("PNG", "x.png")])
def test_an_animation_gives_its_first_frame(kind, name):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True)
    decoded = read(content, name=name)
    assert (decoded.pixels == [255, 0, 0]).all()
    assert "animated: first frame" in decoded.converted


def test_a_scan_of_several_pages_gives_the_first():
    content = encoded(picture(0), "TIFF", save_all=True, append_images=[picture(1)])
    decoded = read(content, name="x.tif")
    assert np.array_equal(decoded.pixels, np.asarray(picture(0)))
    assert decoded.converted == ("several pages: first page",)


@pytest.mark.parametrize(
    ("name", "wrong"), [("x.jpg", True), ("x.png", False), ("x", False), ("x.dat", True), ("x.PNG", False)]
)
def test_the_content_decides_not_the_extension(name, wrong):
    decoded = read(encoded(picture(0), "PNG"), name=name)
    assert ("wrong extension" in decoded.converted) == wrong


@pytest.mark.parametrize(("kind", "cut", "name"), [("JPEG", 300, "x.jpg"), ("PNG", 300, "x.png")])
def test_a_truncated_file_is_unreadable(kind, cut, name):
    skip = read(encoded(picture(0), kind)[:-cut], name=name)
    assert (skip.reason, skip.unreadable) == ("truncated", True)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"hello\n", "text, not an image"),
        (b"\xff\x00\xfe" * 9, "not an image that can be"),
    ],
)
def test_what_only_claims_to_be_an_image_is_unreadable(content, reason, tmp_path):
    path = tmp_path / "x.png"
    path.write_bytes(content)
    for opened in (content, path):
        skip = read(opened)
        assert reason in skip.reason
        assert skip.unreadable
    assert read(content, name="notes.md") is None


def test_a_file_cut_anywhere_gives_all_its_pixels_or_none():
    image = picture(0, 16, 16)
    whole = encoded(image, "PNG")
    for n in range(len(whole)):
        result = read(whole[:n])
        if isinstance(result, Skip):
            assert result.unreadable
        else:  # only checksums were lost
            assert n > len(whole) - 24
            assert np.array_equal(result.pixels, np.asarray(image))


def test_flipped_bytes_never_raise():
    whole = bytearray(encoded(picture(0, 16, 16), "JPEG"))
    for place in range(0, len(whole), 3):
        broken = whole.copy()
        broken[place] ^= 0xFF
        result = read(bytes(broken), name="x.jpg")
        assert result is not None


@pytest.mark.parametrize("size", [(7, 100), (100, 7), (1, 1)])
def test_images_below_the_minimum_are_skipped_but_readable(size):
    skip = read(encoded(Image.new("L", size), "PNG"), image_size=8)
    assert "under 8 pixels" in skip.reason
    assert not skip.unreadable


@pytest.mark.parametrize(("side", "millions"), [(8_100, 66), (9_500, 90), (20_000, 400)])
def test_images_over_the_limit_are_skipped_before_they_are_decoded(side, millions):
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        skip = read(_header_of(side))
    assert "more than 64" in skip.reason
    assert not skip.unreadable
    assert str(millions) in skip.reason


def _header_of(side):
    """A PNG that promises `side` × `side` pixels and holds almost none."""
    content = bytearray(encoded(Image.new("1", (8, 8)), "PNG"))
    content[16:24] = struct.pack(">II", side, side)
    content[29:33] = struct.pack(">I", zlib.crc32(bytes(content[12:29])))
    return bytes(content)


def test_resizing_scales_the_shorter_side_and_crops_the_centre():
    pixels = np.zeros((16, 48, 3), np.uint8)
    pixels[:, 16:32] = 255  # the middle third is what a square keeps
    decoded = read(encoded(Image.fromarray(pixels), "PNG"), image_size=8)
    assert decoded.pixels.shape == (8, 8, 3)
    assert decoded.pixels[:, 1:-1].min() > 240
    assert decoded.converted == ("resized",)


def test_resizing_is_antialiased():
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    decoded = read(encoded(Image.fromarray(stripes), "PNG"), image_size=8)
    assert np.abs(decoded.pixels.astype(int) - 127).max() <= 8  # 127 off without it


@pytest.mark.parametrize(("channels", "shape"), [(1, (8, 8)), (2, (8, 8, 2)), (3, (8, 8, 3)), (4, (8, 8, 4))])
def test_channels_are_as_asked(channels, shape):
    grey, colour = encoded(Image.new("L", (8, 8), 90), "PNG"), encoded(Image.new("RGB", (8, 8), "red"), "PNG")
    assert read(grey, channels=channels).pixels.shape == shape
    decoded = read(colour, channels=channels)
    assert decoded.pixels.shape == shape
    if channels < 3:
        assert decoded.pixels.reshape(8, 8, -1)[0, 0, 0] == 76  # luminance: 0.299 of 255
        assert decoded.converted == ("colour to grey",)
