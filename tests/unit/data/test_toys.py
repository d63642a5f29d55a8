"""The procedural sets: distinct modes, right spread, and points that stay as they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pushforward.data import Dataset, Stream, load_dataset, load_splits
from pushforward.data.arrays import Arrays
from pushforward.data.toys import draw, grid_modes, high_modes, ring_modes, stacked_digits
from pushforward.errors import UserError


@pytest.fixture(scope="module")
def ring():
    return load_splits("ring")


def test_a_ring_has_as_many_distinct_modes_as_it_says():
    centres = ring_modes().centres
    assert len(np.unique(centres.round(9), axis=0)) == 8
    neighbours = np.linalg.norm(centres - np.roll(centres, 1, axis=0), axis=1)
    np.testing.assert_allclose(neighbours, 2 * np.sin(np.pi / 8))
    np.testing.assert_allclose(np.linalg.norm(centres, axis=1), 1)


def test_a_grid_has_all_pairs_of_its_five_places():
    assert {(x, y) for x, y in grid_modes().centres} == {
        (x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)
    }


@pytest.mark.parametrize("modes", [ring_modes(), grid_modes()])
def test_points_lie_around_their_mode_with_its_sigma(modes):
    n = 20_000
    x, which = draw(modes, n, seed=7)
    assert x.dtype == np.float32
    assert x.shape == (n, 2)
    noise = (x - modes.centres[which]) / modes.sigma
    assert abs(noise.mean()) < 4 / np.sqrt(2 * n)
    assert abs(noise.std() - 1) < 4 / np.sqrt(4 * n)
    counts = np.bincount(which, minlength=len(modes))
    expected = n / len(modes)
    assert ((counts - expected) ** 2 / expected).sum() < 2.5 * len(modes)  # χ² with k - 1 degrees


def test_1200_dimensions_have_noise_in_700_and_none_in_500():
    x, which = draw(high_modes(), 50, seed=0)
    centred = x - high_modes().centres[which]
    np.testing.assert_allclose(centred[:, 700:], 0, atol=1e-6)
    np.testing.assert_allclose(centred[:, :700].std(), 1, atol=0.02)


def test_a_seed_fixes_the_points_and_another_gives_others():
    first, again, other = (draw(ring_modes(), 30, seed=s)[0] for s in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.intersect1d(first, other).size


def test_the_named_ring_is_float_points_with_known_modes(ring):
    assert (len(ring.train), len(ring.test), ring.how) == (100_000, 10_000, "official")
    assert ring.train.shape == (2,)
    assert ring.train.x.dtype == torch.float32
    assert len(ring.train.modes) == 8
    assert ring.train.classes[:3] == ("0°", "45°", "90°")
    centre = torch.from_numpy(ring.train.modes.centres)[ring.train.labels[:100]]
    assert (ring.train.x[:100] - centre).norm(dim=1).max() < 0.06


def test_the_ring_is_the_same_on_every_machine(ring):
    assert ring.train.fingerprint == "efbdfea869719e84583057d4b38d3baa4682d0861e191050deebcea9d7ea148a"


def test_a_stream_never_scales_points(ring):
    batch = Stream({"data": ring.train}, batch_size=50, seed=0)()
    assert batch.x.dtype == torch.float32
    assert torch.equal(batch.x, ring.train.x[batch.index])


def test_a_limit_keeps_points_and_their_modes():
    few = load_splits("ring", limit=100)
    assert few.train.x.shape == (100, 2)
    assert len(few.train.modes) == 8
    assert len(few.train.subset([3, 5]).modes) == 8


def test_the_fingerprint_sees_every_number():
    x = torch.zeros(3, 2)
    assert Dataset.of(x).fingerprint != Dataset.of(x + torch.tensor([0.0, 1e-30])).fingerprint


@pytest.mark.parametrize("option", ["image_size", "channels"])
def test_points_have_no_pixels(option):
    value = {"image_size": 32, "channels": 3}[option]
    with pytest.raises(
        UserError, match=f"--data ring: .*points of 2.*leave --{option.replace('_', '-')} out"
    ):
        load_splits("ring", **{option: value})


def test_images_cannot_be_held_out_of_points(tmp_path):
    with pytest.raises(UserError, match=r"--test digits: images of 8 × 8.*points of 2"):
        load_splits("ring", test="digits")


def digits(n: int = 60) -> Arrays:
    images = np.random.default_rng(0).integers(0, 256, (n, 8, 8), dtype=np.uint8)
    return Arrays(images, [str(i % 10) for i in range(n)], tuple("0123456789"))


def test_stacked_digits_are_three_digits_and_their_labels():
    source = digits()
    stacked = stacked_digits(source, train=40, test=10)
    assert stacked.images.shape == (50, 8, 8, 3)
    place = {image.tobytes(): label for image, label in zip(source.images, source.labels, strict=True)}
    for image, word in zip(stacked.images, stacked.labels, strict=True):
        assert "".join(place[np.ascontiguousarray(image[..., c]).tobytes()] for c in range(3)) == word
    assert stacked.classes[7] == "007"
    assert len(stacked.classes) == 1000


def test_held_out_stacks_share_no_digit_with_training():
    stacked = stacked_digits(digits(), train=200, test=200)
    singles = [
        {image[..., c].tobytes() for image in stacked.images[rows] for c in range(3)}
        for rows in (~stacked.test, stacked.test)
    ]
    assert all(singles)
    assert not singles[0] & singles[1]


def test_stacked_mnist_can_be_resized_and_limited():
    few = load_splits("stacked-mnist", image_size=16, limit=20)
    assert few.train.shape == (3, 16, 16)
    assert few.train.x.dtype == torch.uint8


def test_points_of_ones_own(tmp_path):
    points = np.random.default_rng(0).normal(size=(300, 3)) * 5
    np.savez(tmp_path / "mine.npz", points=points)
    mine = load_dataset(str(tmp_path / "mine.npz"))
    assert mine.shape == (3,)
    assert mine.modes is None
    np.testing.assert_array_equal(mine.x.numpy(), points.astype(np.float32))
    splits = load_splits(str(tmp_path / "mine.npz"))
    assert len(splits.train) + len(splits.test) == 300
    assert 10 < len(splits.test) < 60
