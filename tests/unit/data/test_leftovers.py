"""Rare layouts, labels and colours: told, or read as they are meant."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from pushforward.data.labels import label_words
from pushforward.data.layout import layout_of
from pushforward.data.rows import class_order
from pushforward.data.sources import read_source
from pushforward.data.unread import unread


def shards(*parts: str, width: int = 8, stem: str = "img") -> list[tuple[str, ...]]:
    return [(*parts, f"{i // 1000:05d}", f"{stem}{i:0{width}d}.png") for i in (0, 1, 999, 1000, 1001, 2500)]


@pytest.mark.parametrize(
    "paths",
    [
        shards(),
        shards(width=5, stem=""),
        [(f"{i // 1000 * 1000:05d}", f"{i:05d}.png") for i in (0, 999, 1000, 2500)],
    ],
)
def test_folders_of_a_thousand_images_are_no_classes(paths):
    assert layout_of(paths).labels is None
    assert layout_of([("train", *p) for p in paths] + [("test", *p) for p in paths]).labels is None


def test_folders_of_five_digits_whose_images_number_themselves_are_classes():
    paths = [(f"{c:05d}", f"{i:05d}.png") for c in range(3) for i in range(4)]
    assert set(layout_of(paths).labels) == {"00000", "00001", "00002"}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (np.array(["2020-01-01", "NaT"], "datetime64[D]"), "NaT"),
        (np.array([0.0, 1e300]), "1e\\+300"),
        (np.array([0.5, 1.0], np.longdouble), "fractions"),
    ],
)
def test_what_labels_nothing_is_refused(values, told):
    with pytest.raises(ValueError, match=told):
        label_words({"labels": values}, 2)


def test_long_numbers_are_numbers():
    assert label_words({"labels": np.array([0, 1], np.longdouble)}, 2) == ["0", "1"]


def test_numbers_below_zero_come_first_and_dashes_in_words_divide():
    assert class_order(["10", "-1", "2", "-10", "a-2", "a-10"]) == ("-10", "-1", "2", "10", "a-2", "a-10")


def test_bad_labels_of_a_npz_end_in_their_own_fix(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.zeros((3, 8, 8), np.uint8), labels=np.array([0.5, 1, 2]))
    with pytest.raises(Exception, match="leave labels out") as raised:
        read_source(str(tmp_path / "a.npz"))
    assert "np.savez" not in str(raised.value)


@pytest.mark.parametrize("packed", [False, True])
def test_an_empty_class_is_told(packed, tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
    (tmp_path / "pets" / "fox" / "cubs").mkdir(parents=True)
    for name in ("cat", "dog"):
        Image.fromarray(np.random.default_rng(len(name)).integers(0, 255, (9, 9), np.uint8)).save(
            tmp_path / "pets" / name / f"{name}.png"
        )
    source = tmp_path / "pets"
    if packed:
        source = tmp_path / "pets.zip"
        with zipfile.ZipFile(source, "w") as archive:
            for path in sorted((tmp_path / "pets").rglob("*")):
                archive.write(path, path.relative_to(tmp_path))
    doubts = read_source(str(source)).scan.doubts
    assert len(doubts) == 1
    assert "1 folder is empty and no class" in doubts[0]
    assert "fox" in doubts[0]


def test_a_transparent_colour_of_16_bits_is_white(tmp_path):
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    red, blue = struct.pack(">3H", 65535, 0, 0), struct.pack(">3H", 0, 0, 65535)
    rows = b"".join(b"\0" + red * 4 + blue * 4 for _ in range(8))
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0))
    content += chunk(b"tRNS", red) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a.png").write_bytes(content)
    image = read_source(str(tmp_path / "x")).images[0]
    assert image[:, 0, 0].tolist() == [255, 255, 255]
    assert image[:, 0, 7].tolist() == [0, 0, 255]


@pytest.mark.parametrize(
    ("name", "head"),
    [("a.bpg", b"BPG\xfb"), ("a", b"FLIF44"), ("a.ktx2", b""), ("a.wbmp", b"\0\0"), ("a", b"AT&TFORM"),
     ("a", b"\1\0\0\0" + b"\0" * 36 + b" EMF"), ("a.wmf", b""), ("a", b"PF\n2 2\n-1\n")],
)  # fmt: skip
def test_formats_that_are_not_read_are_named(name, head):
    assert "not read" in (unread(name, head) or "")


def test_labels_that_come_through_a_pipe_are_no_labels_forgotten(tmp_path):
    header = struct.pack(">4I", 0x803, 3, 8, 8)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(header + bytes(range(192)))
    os.mkfifo(tmp_path / "train-labels-idx1-ubyte")
    with pytest.raises(Exception, match="no plain file"):
        read_source(str(tmp_path))
