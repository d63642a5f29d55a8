import contextlib
import gzip

import numpy as np
import pytest
import torch

from pushforward.data import load_dataset, load_splits
from pushforward.errors import UserError
from tests.unit.data.pictures import noise

BYTES = np.arange(256, dtype=np.uint8)


def npz(tmp_path, **arrays):
    np.savez(tmp_path / "x.npz", **arrays)
    return str(tmp_path / "x.npz")


@pytest.mark.parametrize("key", ["images", "x", "arr_0"])
@pytest.mark.parametrize("labels", ["labels", "y", None])
def test_npz_keys(tmp_path, key, labels):
    arrays = {key: noise(0, 5, 8, 9)} | ({labels: np.array([3, 1, 10, 3, 1])} if labels else {})
    data = load_dataset(npz(tmp_path, **arrays))
    assert np.array_equal(data.x[:, 0].numpy(), arrays[key])
    assert data.names[4] == "row 4"
    if labels:
        assert data.classes == ("1", "3", "10")
        assert data.labels.tolist() == [1, 0, 2, 1, 0]
    else:
        assert data.labels is None


@pytest.mark.parametrize("channels", [1, 3])
def test_npz_layouts(tmp_path, channels):
    last = noise(0, 5, 9, 10, channels)
    first = last.transpose(0, 3, 1, 2)
    for images in (last, first):
        data = load_dataset(npz(tmp_path, images=images))
        assert data.shape == (channels, 9, 10)
        assert np.array_equal(data.x.numpy(), first)


def test_npz_with_a_test_part(tmp_path):
    path = npz(
        tmp_path,
        x_train=noise(0, 4, 8, 8),
        y_train=np.array([[0], [1], [0], [1]]),
        x_test=noise(1, 2, 8, 8),
        y_test=np.array([[1], [0]]),
    )
    splits = load_splits(path)
    assert (len(splits.train), len(splits.test), splits.how) == (4, 2, "official")
    assert splits.train.labels.tolist() == [0, 1, 0, 1]
    assert splits.test.labels.tolist() == [1, 0]
    assert splits.test.names == ("x_test row 0", "x_test row 1")


def test_arrays_are_resized_and_converted_as_files_are(tmp_path):
    data = load_dataset(npz(tmp_path, images=noise(0, 3, 20, 30, 3)), image_size=10, channels=1)
    assert data.shape == (1, 10, 10)
    assert data.scan.converted == {"colour to grey": 3, "resized": 3}
    clear = np.concatenate([noise(0, 2, 8, 8, 3), np.zeros((2, 8, 8, 1), np.uint8)], axis=3)
    clear[1, 0, 0, 3] = 255
    data = load_dataset(npz(tmp_path, images=clear))
    assert data.shape == (3, 8, 8)
    assert (data.x[0] == 255).all()
    assert data.scan.converted == {"alpha composited on white": 2}


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"pictures": noise(0, 3, 8, 8)}, r"expected one of the keys images, .*, found pictures \(3, 8, 8\)"),
        ({"images": noise(0, 3, 64)}, r"shape \(3, 64\), expected N H W"),
        ({"images": noise(0, 3, 8, 8, 9)}, r"expected N H W"),
        ({"images": noise(0, 3, 4, 8)}, "at least 8 a side"),
        ({"images": noise(0, 0, 8, 8)}, "no images"),
        ({"images": noise(0, 3, 8, 8), "labels": np.arange(2)}, "2 labels for 3 images"),
        ({"images": noise(0, 3, 8, 8) - 300.0}, "float64 pixels from -"),
        ({"images": np.array([object()] * 3)}, "Object arrays cannot be loaded"),
        ({"x_train": noise(0, 3, 8, 8), "x_test": noise(0, 3, 8, 9)}, "x_test"),
        ({"images": noise(0, 3, 300, 8)}, "larger than 256"),
    ],
)
def test_npz_mistakes_are_told_in_one_line(tmp_path, arrays, reason):
    with pytest.raises(UserError, match=reason) as raised:
        load_dataset(npz(tmp_path, **arrays))
    assert str(raised.value).startswith("--data ")
    assert "\n" not in str(raised.value)


def test_a_damaged_npz_never_shows_a_traceback(tmp_path):
    whole = open(npz(tmp_path, images=noise(0, 3, 8, 8)), "rb").read()  # noqa: PTH123, SIM115
    for n in range(0, len(whole), 11):
        (tmp_path / "cut.npz").write_bytes(whole[:n])
        with pytest.raises(UserError):
            load_dataset(str(tmp_path / "cut.npz"))
    for place in range(0, len(whole), 3):
        broken = bytearray(whole)
        broken[place] ^= 0xFF
        (tmp_path / "flip.npz").write_bytes(broken)
        with contextlib.suppress(UserError):  # where the flip does no harm, the images are read
            assert len(load_dataset(str(tmp_path / "flip.npz"))) <= 3


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def idx_folder(root, *parts, pack=False, sizes=(6, 3)):
    for seed, (part, n) in enumerate(zip(parts, sizes, strict=False)):
        for kind, array in (
            ("images-idx3", noise(seed, n, 8, 9)),
            ("labels-idx1", np.arange(n, dtype=np.uint8) % 3),
        ):
            name = f"{part}-{kind}-ubyte"
            if pack:
                (root / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
            else:
                (root / name).write_bytes(idx(array))
    return str(root)


@pytest.mark.parametrize("pack", [False, True])
def test_an_idx_folder_brings_its_split(tmp_path, pack):
    splits = load_splits(idx_folder(tmp_path, "train", "t10k", pack=pack))
    assert splits.how == "official"
    assert np.array_equal(splits.train.x[:, 0].numpy(), noise(0, 6, 8, 9))
    assert np.array_equal(splits.test.x[:, 0].numpy(), noise(1, 3, 8, 9))
    assert splits.train.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert splits.train.classes == ("0", "1", "2")
    assert splits.test.names[0] == "test row 0"
    splits.train.x[0, 0, 0, 0] = 1  # torch would warn of memory that cannot be written


def test_a_part_alone_is_split_by_content(tmp_path):
    splits = load_splits(idx_folder(tmp_path, "train"))
    assert splits.how == "10 % by content hash"
    assert len(splits.train) + len(splits.test) == 6


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not an IDX file"),
        (b"\0\0\x0d\x03" + bytes(99), "not an IDX file of bytes"),
        (idx(noise(0, 6, 8, 9))[:-1], "promises 6 × 8 × 9 bytes, it holds 431"),
        (idx(noise(0, 6, 8, 9)) + b"x", "it holds more"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "more than the free memory"),
        (b"\0\0\x08\x03\0\0", "its header"),
        (idx(noise(0, 6, 8)), "images of one size"),
    ],
)
def test_a_broken_idx_file_is_named(tmp_path, content, reason):
    folder = idx_folder(tmp_path, "train")
    (tmp_path / "train-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(UserError, match=reason):
        load_dataset(folder)


def test_a_broken_gzip_is_named(tmp_path):
    folder = idx_folder(tmp_path, "train", pack=True)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    for content in (path.read_bytes()[:-20], b"plain"):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"train-images-idx3-ubyte\.gz: broken gzip"):
            load_dataset(folder)


def test_labels_that_do_not_match_are_refused(tmp_path):
    folder = idx_folder(tmp_path, "train")
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(5, np.uint8)))
    with pytest.raises(UserError, match="5 labels for 6 images"):
        load_dataset(folder)


def test_an_array_source_can_be_trained_on(tmp_path):
    data = load_dataset(npz(tmp_path, images=noise(0, 4, 8, 8)))
    assert data.x.dtype == torch.uint8
    assert data.x.is_contiguous()
