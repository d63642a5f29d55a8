"""Image files for tests: plain ones and every oddity that a user's folder may hold."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 32, 40
UNREADABLE = {"truncated.jpg", "text.png", "zero.png"}
UNUSABLE = UNREADABLE | {"one.png", "huge.png"}


def noise(seed, *shape, high=256, dtype=np.uint8):
    return np.random.default_rng(seed).integers(0, high, shape).astype(dtype)


def picture(seed, width=WIDTH, height=HEIGHT):
    return Image.fromarray(noise(seed, height, width, 3))


def encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def folder_of(root: Path, names, image=picture):
    """One distinct picture a name."""
    for seed, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image(seed).save(path)
    return root


def hostile(root: Path):
    """Twenty image files, 15 of which are usable; one of those is a duplicate."""
    folder_of(root, ["ünïcödé-日本.png", "a/same name.png", "b/same name.png", "c.webp"])
    first = picture(100)
    (root / "truncated.jpg").write_bytes(encoded(first, "JPEG")[:700])
    (root / "text.png").write_text("I am no image.\n")
    (root / "zero.png").write_bytes(b"")
    deep = Image.fromarray(noise(101, HEIGHT, WIDTH, high=65536, dtype=np.uint16))
    deep.save(root / "deep.png")
    deep.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(root / "deep.tif")
    Image.fromarray(noise(102, HEIGHT, WIDTH, 4), "CMYK").save(root / "cmyk.jpg")
    Image.fromarray(noise(103, HEIGHT, WIDTH, 2), "LA").save(root / "la.png")
    Image.fromarray(noise(104, HEIGHT, WIDTH, 4), "RGBA").save(root / "rgba.png")
    first.quantize(16).save(root / "palette.png")
    first.save(root / "animated.gif", save_all=True, append_images=[picture(105), picture(106)])
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    picture(107, HEIGHT, WIDTH).save(root / "turned.jpg", exif=exif)
    Image.new("RGB", (1, 1)).save(root / "one.png")
    Image.new("1", (20_000, 20_000)).save(root / "huge.png")
    (root / "really a png.jpg").write_bytes(encoded(picture(108), "PNG"))
    picture(109).save(root / "original.png")
    picture(109).save(root / "duplicate.png")
    return root
