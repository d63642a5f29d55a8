"""Sources as they lie about: torchvision's folders, EMNIST's names, zips of IDX, pipes, devices, lies."""

from __future__ import annotations

import gzip
import os
import struct
import zipfile

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from pushforward.data import load_dataset, load_splits
from pushforward.data import scan as scanning
from pushforward.errors import UserError
from tests.unit.data.pictures import folder_of, noise, picture

IMAGES, LABELS = noise(0, 6, 8, 9), np.arange(6, dtype=np.uint8) % 2


def idx(values):
    return b"\0\0\x08" + struct.pack(f">B{values.ndim}I", values.ndim, *values.shape) + values.tobytes()


def write(folder, prefix="", part="train", packed=False):
    folder.mkdir(parents=True, exist_ok=True)
    images = IMAGES if part == "train" else 255 - IMAGES
    for kind, values in (("images-idx3", images), ("labels-idx1", LABELS)):
        content = gzip.compress(idx(values)) if packed else idx(values)
        (folder / f"{prefix}{part}-{kind}-ubyte{'.gz' if packed else ''}").write_bytes(content)
    return folder


@pytest.mark.parametrize("place", ["", "raw", "MNIST/raw"])
@pytest.mark.parametrize("prefix", ["", "emnist-balanced-", "qmnist-"])
def test_torchvisions_folders_and_emnists_names_are_read(place, prefix, tmp_path):
    write(tmp_path / place, prefix, packed=bool(prefix))
    (tmp_path / "processed").mkdir()
    data = load_dataset(str(tmp_path))
    assert np.array_equal(data.x[:, 0].numpy(), IMAGES)
    assert data.classes == ("0", "1")


def test_several_sets_are_refused_by_name(tmp_path):
    write(tmp_path / "MNIST" / "raw")
    write(tmp_path / "FashionMNIST" / "raw")
    with pytest.raises(UserError, match="several sets: FashionMNIST/raw, MNIST/raw"):
        load_dataset(str(tmp_path))
    both = write(write(tmp_path / "emnist", "emnist-letters-"), "emnist-digits-")
    with pytest.raises(UserError, match="several sets: emnist-digits, emnist-letters"):
        load_dataset(str(both))


@pytest.mark.parametrize("packed", [False, True])
def test_idx_in_a_zip_is_read(packed, tmp_path):
    folder = write(write(tmp_path / "raw", packed=packed), part="t10k", packed=packed)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, f"MNIST/raw/{path.name}")
    splits = load_splits(str(tmp_path / "x.zip"))
    assert splits.how == "official"
    assert np.array_equal(splits.test.x[:, 0].numpy(), 255 - IMAGES)


@pytest.mark.parametrize(
    "header", [struct.pack(">B3I", 3, 10**6, 100, 100), struct.pack(">B100I", 100, *[1] * 100)]
)
def test_headers_that_lie_are_refused(header, tmp_path):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(b"\0\0\x08" + header + b"x")
    with pytest.raises(UserError, match="header"):
        load_dataset(str(tmp_path))


@pytest.mark.timeout(20)
def test_pipes_and_devices_do_not_block_even_behind_links(tmp_path):
    folder_of(tmp_path, ["0.png", "1.png"])
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "pipe.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "train-images-idx3-ubyte")
    assert load_dataset(str(tmp_path)).scan.found == 2


def test_a_source_of_large_images_is_refused_by_their_sizes_alone(tmp_path, monkeypatch):
    """Only the first few are decoded; of the others, the headers tell."""
    folder_of(tmp_path, [f"{i:02d}.png" for i in range(20)], image=lambda i: picture(i, 300, 300))
    sizes, decode = [], scanning.decode

    def watched(item, **options):
        result = decode(item, **options)
        sizes.append(result.pixels.size)
        return result

    monkeypatch.setattr(scanning, "decode", watched)
    with pytest.raises(UserError, match=r"larger than 256 pixels \(300 × 300: 20\)"):
        load_dataset(str(tmp_path))
    assert sorted(sizes)[:12] == [0] * 12


def test_a_png_with_much_text_or_a_large_profile_is_read(tmp_path):
    text = PngImagePlugin.PngInfo()
    text.add_text("comment", "y" * 3_000_000, zip=True)
    picture(0).save(tmp_path / "text.png", pnginfo=text)
    picture(1).save(tmp_path / "profile.png", icc_profile=os.urandom(2_000_000))
    assert len(load_dataset(str(tmp_path))) == 2


def test_the_transparent_grey_of_sixteen_bits_is_white(tmp_path):
    values = noise(0, 8, 8, high=65536, dtype=np.uint16)
    values[0] = 1000
    Image.fromarray(values).save(tmp_path / "0.png", transparency=1000)
    data = load_dataset(str(tmp_path))
    assert (data.x[0, :, 0] == 255).all()
    assert np.array_equal(data.x[0, 0, 1:].numpy(), np.rint(values[1:] / 257))


def test_a_tiff_is_turned_and_told(tmp_path):
    values = noise(0, 8, 16)
    Image.fromarray(values).save(tmp_path / "0.tif", tiffinfo={274: 6})
    data = load_dataset(str(tmp_path))
    assert np.array_equal(data.x[0, 0].numpy(), np.rot90(values, -1))
    assert data.scan.converted == {"EXIF orientation": 1}


def test_good_images_with_bombs_and_lies_among_them_train(tmp_path):
    folder_of(tmp_path, [f"{i}.png" for i in range(60)])
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    good = (tmp_path / "0.png").read_bytes()
    (tmp_path / "lie.png").write_bytes(good[:16] + struct.pack(">2I", 7000, 7000) + good[24:])
    assert len(load_dataset(str(tmp_path), image_size=16)) == 60
