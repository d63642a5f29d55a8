import os
import stat
import zipfile

import numpy as np
import pytest
from PIL import Image

from pushforward.data import load_dataset, load_splits
from pushforward.data.sources import read_source
from pushforward.errors import UserError
from tests.unit.data.pictures import UNREADABLE, UNUSABLE, encoded, folder_of, hostile, noise, picture


def zip_of(folder, path, top=""):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, top + file.relative_to(folder).as_posix())
    return str(path)


@pytest.fixture
def pets(tmp_path):
    return folder_of(tmp_path / "pets", ["cat/1.png", "cat/2.png", "dog/1.png", "dog/sub/2.png"])


def test_sub_folders_are_labels_and_paths_the_order(pets):
    data = load_dataset(str(pets))
    assert data.names == ("cat/1.png", "cat/2.png", "dog/1.png", "dog/sub/2.png")
    assert data.classes == ("cat", "dog")
    assert data.labels.tolist() == [0, 0, 1, 1]
    assert data.shape == (3, 40, 32)
    for row in range(4):
        assert np.array_equal(data.x[row].permute(1, 2, 0).numpy(), np.asarray(picture(row)))


@pytest.mark.parametrize("names", [["1.png", "2.png"], ["all/1.png", "all/2.png"], ["1.png", "cat/2.png"]])
def test_no_labels_without_two_sub_folders_that_hold_everything(names, tmp_path):
    assert load_dataset(str(folder_of(tmp_path, names))).classes is None


def test_folders_called_train_and_test_are_the_official_split(tmp_path):
    folder_of(
        tmp_path, [f"{part}/{label}/{i}.png" for part in ("train", "test") for label in "ab" for i in "12"]
    )
    splits = load_splits(str(tmp_path))
    assert splits.how == "official: test/"
    assert splits.test.names == ("test/a/1.png", "test/a/2.png", "test/b/1.png", "test/b/2.png")
    assert splits.train.classes == splits.test.classes == ("a", "b")
    assert splits.train.labels.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("top", ["", "pets/", "some/where/"])
def test_a_zip_equals_its_folder(pets, tmp_path, top):
    folder, archive = load_dataset(str(pets)), load_dataset(zip_of(pets, tmp_path / "pets.zip", top))
    assert folder.fingerprint == archive.fingerprint
    assert archive.names == tuple(top + name for name in folder.names)


def test_hidden_files_and_those_of_file_managers_are_ignored(pets):
    for name in (".hidden.png", ".git/1.png", "__MACOSX/1.png", "cat/Thumbs.db", "cat/.DS_Store"):
        (pets / name).parent.mkdir(exist_ok=True)
        (pets / name).write_bytes(b"no image")
    (pets / "cat/notes.md").write_text("soft\n")
    scan = load_dataset(str(pets)).scan
    assert scan.found == 4
    assert [(skip.path, skip.reason) for skip in scan.skipped] == [("cat/notes.md", "not an image")]


def test_links_are_followed_once(pets):
    (pets / "dog/loop").symlink_to(pets)
    (pets / "cat/3.png").symlink_to(pets / "cat/1.png")
    data = load_dataset(str(pets))
    assert len(data) == 4
    assert data.scan.duplicates == 1


def test_pipes_do_not_block(pets):
    os.mkfifo(pets / "cat/pipe.png")
    assert len(load_dataset(str(pets))) == 4


def test_names_that_are_no_text_are_escaped(tmp_path):
    folder_of(tmp_path, ["a.png"])
    picture(1).save(os.fsencode(tmp_path) + b"/bad\xff\n.png", "PNG")
    assert load_dataset(str(tmp_path)).names == ("a.png", "bad\\xff\\n.png")


def test_grey_stays_grey_unless_there_is_colour(tmp_path):
    folder_of(tmp_path, ["1.png", "2.png"], lambda seed: Image.fromarray(noise(seed, 16, 16)))
    assert load_dataset(str(tmp_path)).shape == (1, 16, 16)
    folder_of(tmp_path, ["3.png"], lambda seed: picture(seed, 16, 16))
    mixed = load_dataset(str(tmp_path))
    assert mixed.shape == (3, 16, 16)
    assert mixed.scan.converted == {"grey to RGB": 2}
    assert (mixed.x[0] == mixed.x[0, :1]).all()


def test_sizes_that_differ_need_an_image_size(tmp_path):
    folder_of(tmp_path, ["1.png", "2.png"])
    folder_of(tmp_path, ["3.png"], lambda seed: picture(seed, 20, 10))
    with pytest.raises(UserError, match=r"2 sizes \(32 × 40: 2, 20 × 10: 1\).*--image-size 64"):
        load_dataset(str(tmp_path))
    assert load_dataset(str(tmp_path), image_size=16).shape == (3, 16, 16)


def test_large_images_need_an_image_size(tmp_path):
    folder_of(tmp_path, ["1.png", "2.png"], lambda seed: picture(seed, 300, 20))
    with pytest.raises(UserError, match=r"larger than 256 pixels \(300 × 20: 2\)"):
        load_dataset(str(tmp_path))


def test_every_oddity_of_a_hostile_folder_is_named(tmp_path):
    folder = hostile(tmp_path)
    rows = read_source(str(folder))
    assert len(list(folder.rglob("*.*"))) == rows.scan.found == 20
    assert len(rows) == 15
    assert {skip.path: skip.reason for skip in rows.scan.skipped} == {
        "truncated.jpg": "truncated",
        "text.png": "text, not an image",
        "zero.png": "empty file",
        "one.png": "1 × 1: a side under 8 pixels",
        "huge.png": "400 megapixels, more than 64",
    }
    assert rows.scan.converted == {
        "16-bit scaled": 2,
        "CMYK": 1,
        "EXIF orientation": 1,
        "alpha composited on white": 2,
        "animated: first frame": 1,
        "grey to RGB": 3,
        "palette": 2,
        "wrong extension": 1,
    }
    assert {"ünïcödé-日本.png", "a/same name.png", "b/same name.png"} < set(rows.names)
    with pytest.raises(UserError) as raised:
        load_splits(str(folder))
    assert "3 of 20 images (15%) cannot be read" in str(raised.value)
    assert all(name in str(raised.value) for name in UNREADABLE)
    assert "\n" not in str(raised.value)


def test_a_hostile_folder_among_enough_good_images_is_used(tmp_path):
    folder = folder_of(hostile(tmp_path), [f"good/{i}.png" for i in range(45)], lambda i: picture(1000 + i))
    splits = load_splits(str(folder))
    assert len(splits.train) + len(splits.test) == 15 + 45 - 1
    assert splits.train.scan.duplicates == 1
    assert {skip.path for skip in splits.train.scan.skipped} == UNUSABLE


@pytest.mark.parametrize("good", [18, 19])
def test_five_per_cent_is_the_most_that_may_be_unreadable(tmp_path, good):
    folder_of(tmp_path, [f"{i}.png" for i in range(good)])
    (tmp_path / "bad.png").write_bytes(b"")
    if good == 19:
        assert len(load_dataset(str(tmp_path))) == 19
    else:
        with pytest.raises(UserError, match=r"bad\.png \(empty file\)"):
            load_dataset(str(tmp_path))


def test_a_folder_without_a_usable_image(tmp_path):
    with pytest.raises(UserError, match="no image found"):
        load_dataset(str(tmp_path))
    folder_of(tmp_path, ["1.png", "2.png"], lambda seed: picture(seed, 4, 4))
    with pytest.raises(UserError, match="none of its 2 images can be used"):
        load_dataset(str(tmp_path))


def test_a_set_that_does_not_fit_into_memory_is_refused_after_one_image(tmp_path, monkeypatch):
    folder_of(tmp_path, ["1.png", "2.png"])
    monkeypatch.setattr("pushforward.data.memory.available_bytes", lambda: 10_000)
    with pytest.raises(UserError, match=r"2 images of 32 × 40 × 3 need about .* --image-size"):
        load_dataset(str(tmp_path))
    assert len(load_dataset(str(tmp_path), image_size=16)) == 2


def member(name, mode=0):
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


@pytest.mark.parametrize(
    ("info", "reason"),
    [
        (member("../1.png"), r"'\.\./1\.png' leads out of the archive"),
        (member("a/..\\..\\1.png"), "leads out of the archive"),
        (member("/etc/1.png"), "'/etc/1.png' has an absolute name"),
        (member("C:\\1.png"), "has an absolute name"),
        (member("link.png", stat.S_IFLNK | 0o777), "'link.png' is a symbolic link"),
    ],
)
def test_a_hostile_member_refuses_the_zip(tmp_path, info, reason):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("good.png", encoded(picture(0), "PNG"))
        archive.writestr(info, encoded(picture(1), "PNG"))
    with pytest.raises(UserError, match=reason):
        load_dataset(str(tmp_path / "x.zip"))


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1.png", bytes(30_000_000))
    monkeypatch.setattr(zipfile.ZipFile, "read", None)  # would raise TypeError
    with pytest.raises(UserError, match="unpack to 30,000,000"):
        load_dataset(str(tmp_path / "x.zip"))


def test_a_member_with_a_broken_checksum_is_unreadable(pets, tmp_path):
    path = zip_of(pets, tmp_path / "pets.zip")
    content = bytearray((tmp_path / "pets.zip").read_bytes())
    content[500] ^= 0xFF
    (tmp_path / "pets.zip").write_bytes(content)
    with pytest.raises(UserError, match=r"1 of 4 images .*cat/1\.png \(.*CRC-32"):
        load_dataset(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 nonsense"])
def test_a_broken_zip_is_a_mistake_of_one_line(tmp_path, content):
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(UserError, match="not a readable zip archive"):
        load_dataset(str(tmp_path / "x.zip"))
