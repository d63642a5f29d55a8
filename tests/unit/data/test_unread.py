"""Images in formats that are not read are missed, with what to convert them to; others are passed over."""

from __future__ import annotations

import pytest

from pushforward.data import load_dataset
from pushforward.data.decode import formats
from pushforward.errors import UserError
from tests.unit.data.pictures import encoded, folder_of, picture

HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + b"\x80" * 99
FILES = {
    "a.heic": HEIC,
    "by-content": HEIC,
    "b.tga": b"\x00\x00\x02" + bytes(60),
    "c.jxl": b"\xff\x0a" + b"\x99" * 40,
    "renamed.jpg": b"\x00\x00\x00\x0cJXL \x0d\x0a\x87\x0a" + b"\x99" * 40,
    "d.psd": b"8BPS\x00\x01" + bytes(60),
    "e.exr": b"v/1\x01" + bytes(60),
    "g.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "scan.nii.gz": b"\x1f\x8b" + bytes(60),
    "x.npy": b"\x93NUMPY\x01\x00" + bytes(60),
}


@pytest.mark.parametrize("name", FILES)
def test_it_counts_as_an_image_that_cannot_be_read(name, tmp_path):
    folder_of(tmp_path, [f"{i}.png" for i in range(30)])
    (tmp_path / name).write_bytes(FILES[name])
    scan = load_dataset(str(tmp_path)).scan
    assert scan.found == 31
    (skip,) = scan.skipped
    assert skip.unreadable
    assert "not read: " in skip.reason


def test_a_raw_file_is_not_read_by_its_thumbnail(tmp_path):
    """To a decoder it is a TIFF."""
    folder_of(tmp_path, [f"{i}.png" for i in range(30)])
    (tmp_path / "camera.DNG").write_bytes(encoded(picture(99), "TIFF"))
    data = load_dataset(str(tmp_path))
    assert len(data) == 30
    assert "raw camera file" in data.scan.skipped[0].reason


def test_a_folder_of_them_is_refused_with_the_fix(tmp_path):
    for i in range(3):
        (tmp_path / f"IMG_{i}.HEIC").write_bytes(HEIC)
    with pytest.raises(UserError, match="HEIC, not read: convert it to PNG or JPEG"):
        load_dataset(str(tmp_path))


def test_avif_is_read_where_pillow_has_it(tmp_path):
    folder_of(tmp_path, [f"{i}.png" for i in range(30)])
    (tmp_path / "x.avif").write_bytes(HEIC.replace(b"ftypheic", b"ftypavif") + bytes(9))
    reason = load_dataset(str(tmp_path)).scan.skipped[0].reason
    assert ("which this build of Pillow lacks" in reason) == ("AVIF" not in formats()) or "not read" in reason


def test_what_is_no_image_does_not_count(tmp_path):
    folder_of(tmp_path, ["0.png", "1.png"])
    (tmp_path / "notes.txt").write_text("text")
    (tmp_path / "labels.csv").write_text("a,b")
    (tmp_path / "gone").symlink_to(tmp_path / "nothing")
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nothing")
    scan = load_dataset(str(tmp_path)).scan
    assert scan.found == 2
    (tmp_path / "gone.png").symlink_to(tmp_path / "nothing")
    with pytest.raises(UserError, match=r"gone\.png \(No such file"):
        load_dataset(str(tmp_path))
