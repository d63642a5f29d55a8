"""What pixels mean: one decision for a source, from all of it; told, overridden, refused where in doubt."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pushforward.data import load_dataset, load_splits
from pushforward.data.ranges import Ambiguous, Extent, agreed, held_as, meaning
from pushforward.errors import UserError
from pushforward.runs.told import told
from tests.unit.data.pictures import noise

BYTES = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)


def read(values, **options):
    values = np.asarray(values)
    chosen = meaning(held_as(values.dtype), Extent.of(values), **options)
    return chosen.to_bytes(values)


@pytest.mark.parametrize(
    "pixels",
    [
        BYTES,
        BYTES.astype(np.float32) / 255,
        BYTES.astype(np.float32) / 255 * np.float32(1.000001),
        BYTES.astype(np.float64) / 255 - 1e-6,
        BYTES.astype(np.float64) / 127.5 - 1,
        BYTES.astype(np.float32) / 127.5 - np.float32(1.000001),
        BYTES.astype(np.float16),
        BYTES.astype(np.int64),
        BYTES.astype(np.int16),
        BYTES.astype(np.uint16),
        BYTES.astype(np.uint16) * 257,
        BYTES.astype(">u2") * np.uint16(257),
        BYTES.astype(np.int32) * 257,
    ],
    ids=lambda pixels: f"{pixels.dtype} {pixels.min():g} to {pixels.max():g}",
)
def test_every_type_comes_to_the_same_bytes(pixels):
    assert np.array_equal(read(pixels), BYTES)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32, np.uint16])
def test_zero_and_one_are_black_and_white(dtype):
    assert read(np.array([0, 1, 0, 1], dtype)).tolist() == [0, 255, 0, 255]


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_fewer_bits_in_sixteen_are_bright_and_told(bits):
    values = np.array([0, 2**bits - 1], np.uint16)
    chosen = meaning("16-bit", Extent.of(values))
    assert chosen.to_bytes(values).tolist() == [0, 255]
    assert str(2**bits - 1) in chosen.doubt


def test_dark_bytes_stay_bytes_and_are_told():
    chosen = meaning("8-bit", Extent(0, 16, whole=True))
    assert (chosen.low, chosen.high) == (0, 255)
    assert "`pixel_range` 0 16" in chosen.doubt


@pytest.mark.parametrize(
    "pixels",
    [
        [0.0, 16.0],  # scikit-learn's digits
        [0, 16],
        [-2.0, 1.0],
        [-0.1, 1.0],
        [0.0, 300.0],
        [0, -1],
        [0, 70_000],
        [0.0, float("nan")],
        [0.0, float("inf")],
        [1j],
        ["a"],
    ],
)
def test_pixels_that_may_mean_two_things_are_refused(pixels):
    with pytest.raises(Ambiguous, match="pixels"):
        read(pixels)


def test_the_user_knows():
    assert read([0.0, 8.0, 16.0, 99.0], given=(0, 16)).tolist() == [0, 128, 255, 255]
    assert read(np.array([0, 255], np.uint8), given=(0, 510)).tolist() == [0, 128]


@pytest.mark.parametrize(
    ("train", "test"),
    [((0, 255), (0, 1)), ((-1, 1), (0, 1)), ((0, 1), (0, 255))],
)
def test_parts_in_ranges_of_their_own_are_refused(train, test):
    parts = {"x_train": Extent(*train, whole=False), "x_test": Extent(*test, whole=False)}
    with pytest.raises(Ambiguous, match=r"holds pixels from .*; bring them to one range"):
        agreed("floating point", parts)


def test_a_dark_or_constant_part_proves_nothing():
    parts = {"a": Extent(0, 255, whole=True), "b": Extent(0, 0, whole=True), "c": Extent(0, 3, whole=True)}
    assert agreed("floating point", parts).high == 255


def npz(path, **arrays):
    np.savez(path / "x.npz", **arrays)
    return str(path / "x.npz")


def test_npz_parts_are_decided_together(tmp_path):
    x = noise(0, 6, 8, 8)
    with pytest.raises(UserError, match="x_test holds pixels from 0"):
        load_splits(npz(tmp_path, x_train=x.astype(float), x_test=x / 255))
    splits = load_splits(npz(tmp_path, x_train=x / 255, x_test=x[:2] / 512 + 0.1))
    assert splits.train.x.max() == x.max()
    digits = npz(tmp_path, images=x // 16 * 1.0)
    with pytest.raises(UserError, match=r"floating point|float64"):
        load_dataset(digits)
    assert load_dataset(digits, pixel_range=(0, 15)).x.max() == 255


def tiffs(path, arrays, kind="tif"):
    for i, values in enumerate(arrays):
        Image.fromarray(np.asarray(values)).save(path / f"{i}.{kind}")
    return str(path)


def test_float_tiffs_are_decided_together(tmp_path):
    """By itself, the dark first file would be one in [0, 1], and be made bright."""
    dark = np.zeros((8, 8), np.float32)
    dark[0] = 1
    bright = noise(0, 8, 8).astype(np.float32)
    bright[0, 0] = 255
    data = load_dataset(tiffs(tmp_path, [dark, bright]))
    assert data.x[0].max() == 1
    assert data.x[1].max() == 255
    assert data.scan.converted["floating point in [0, 255]"] == 2


def test_float_tiffs_of_two_ranges_are_refused(tmp_path):
    values = noise(0, 8, 8).astype(np.float32)
    with pytest.raises(UserError, match=r"0\.tif holds pixels"):
        load_dataset(tiffs(tmp_path, [values / 255, values]))


def test_int32_tiffs_of_bytes_are_bytes(tmp_path):
    values = [noise(i, 8, 8).astype(np.int32) for i in range(2)]
    data = load_dataset(tiffs(tmp_path, values))
    assert np.array_equal(data.x[:, 0].numpy(), np.stack(values))


def test_masks_of_zero_and_one_are_seen(tmp_path):
    masks = [noise(i, 8, 8, high=2) for i in range(3)]
    data = load_dataset(tiffs(tmp_path, masks, "png"))
    assert sorted(data.x.unique().tolist()) == [0, 255]


def test_twelve_bits_are_told_to_whoever_trains(tmp_path):
    deep = [noise(i, 8, 8, high=4096, dtype=np.uint16) for i in range(12)]
    splits = load_splits(tiffs(tmp_path, deep, "png"))
    assert splits.train.x.max() > 240
    assert "4095 is taken for white" in told(splits, train=len(splits.train))[-1]


@pytest.mark.parametrize("given", [(1, 0), (0, 0), (0, float("inf")), (1,), (0, 1, 2)])
def test_a_range_that_is_none_is_refused(given, tmp_path):
    with pytest.raises(UserError, match="`pixel_range`"):
        load_dataset(npz(tmp_path, images=noise(0, 3, 8, 8)), pixel_range=given)
    with pytest.raises(UserError, match="its pixels are known"):
        load_dataset("digits", pixel_range=(0, 16))
