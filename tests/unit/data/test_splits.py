import numpy as np
import pytest
from PIL import Image

from pushforward.data import load_splits
from pushforward.data.rows import Rows, Scan, class_order, digests, fingerprint
from pushforward.data.splits import TEST_SHARE, drop_duplicates, split, subset
from pushforward.errors import UserError
from tests.unit.data.pictures import noise


def rows_of(images, official_test=None, labels=None):
    n = len(images)
    return Rows(
        images,
        digests(images),
        digests(images),
        tuple(f"row {i}" for i in range(n)),
        labels,
        None if labels is None else class_order(labels),
        Scan("somewhere", n),
        None if official_test is None else np.array(official_test),
    )


def random_rows(n, seed=0):
    return rows_of(noise(seed, n, 1, 8, 8))


def test_the_test_share_is_that_of_fair_coins():
    n = 4000
    held_out = len(split(random_rows(n))[1])
    deviation = (n * TEST_SHARE * (1 - TEST_SHARE)) ** 0.5
    assert abs(held_out - n * TEST_SHARE) < 4 * deviation


def test_train_and_test_partition_the_rows():
    rows = random_rows(300)
    train, test, how = split(rows)
    assert sorted(train.names + test.names) == sorted(rows.names)
    assert how == "10 % by content hash"


def test_adding_images_or_renaming_them_moves_no_other():
    rows = random_rows(300)
    more = rows_of(np.concatenate([noise(1, 100, 1, 8, 8), rows.images[::-1]]))
    before, after = (set(split(r)[1].digests) for r in (rows, more))
    assert before == after & set(rows.digests)
    assert len(after) > len(before)


@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize("seed", range(40))
def test_a_tiny_set_has_an_image_on_either_side(n, seed):
    train, test, _ = split(random_rows(n, seed))
    assert len(train) >= 1
    assert len(test) >= 1


def test_even_where_all_hashes_say_test():
    many = random_rows(400)
    tested = split(many)[1].take([0, 1, 2])
    train, test, _ = split(tested)
    assert (len(train), len(test)) == (1, 2)


def test_one_image_is_too_few():
    with pytest.raises(UserError, match="--data somewhere: 1 usable image"):
        split(random_rows(1))


def test_the_official_split_wins():
    train, test, how = split(rows_of(noise(0, 4, 1, 8, 8), [False, True, False, True]))
    assert (train.names, test.names, how) == (("row 0", "row 2"), ("row 1", "row 3"), "official")


def test_the_first_of_equal_images_is_kept():
    images = noise(0, 3, 1, 8, 8)[[0, 1, 0, 2, 1, 0]]
    rows = drop_duplicates(rows_of(images))
    assert rows.names == ("row 0", "row 1", "row 3")
    assert rows.scan.duplicates == 3


def test_what_the_official_test_holds_is_dropped_from_train():
    images = noise(0, 3, 1, 8, 8)[[0, 1, 0, 2, 2]]
    rows = drop_duplicates(rows_of(images, [False, False, True, True, True]))
    train, test, _ = split(rows)
    assert (train.names, test.names) == (("row 1",), ("row 2", "row 3"))
    assert rows.scan.duplicates == 2


def test_equal_bytes_in_another_shape_are_no_duplicate():
    flat = noise(0, 1, 1, 8, 16)
    assert digests(flat) != digests(flat.reshape(1, 1, 16, 8))


def test_subsets_of_a_seed_are_nested_and_exact():
    rows = random_rows(100)
    kept = [set(subset(rows, n, 5).names) for n in (1, 10, 50, 100)]
    assert [len(names) for names in kept] == [1, 10, 50, 100]
    assert kept[0] < kept[1] < kept[2] < kept[3]


def test_a_subset_depends_on_the_seed_and_not_on_the_order():
    rows, backwards = random_rows(100), rows_of(random_rows(100).images[::-1])
    assert set(subset(rows, 20, 0).digests) == set(subset(backwards, 20, 0).digests)
    assert set(subset(rows, 20, 0).digests) != set(subset(rows, 20, 1).digests)


def test_a_subset_keeps_the_order_of_the_rows():
    places = [int(name.split()[1]) for name in subset(random_rows(50), 20, 0).names]
    assert places == sorted(places)


def test_subsets_are_uniform():
    """Over many seeds each row is drawn equally often: chi-squared of 20 rows, 19 degrees of freedom."""
    rows, seeds, limit = random_rows(20), 600, 5
    drawn = np.zeros(20)
    for seed in range(seeds):
        drawn[[int(name.split()[1]) for name in subset(rows, limit, seed).names]] += 1
    expected = seeds * limit / 20
    # without replacement: the variance is smaller than a multinomial's by (20 - 5) / (20 - 1)
    assert ((drawn - expected) ** 2).sum() / expected / (15 / 19) < 43.8  # the 0.1 % point


@pytest.mark.parametrize("limit", [0, -1, 11])
def test_a_limit_outside_the_training_set_is_refused(limit):
    with pytest.raises(UserError, match=rf"`limit` {limit}: expected 1 to 10"):
        subset(random_rows(10), limit, 0)


def test_the_fingerprint_sees_pixels_labels_shape_and_order():
    images = noise(0, 3, 1, 8, 8)
    marks = digests(images)
    base = fingerprint((1, 8, 8), marks, ("a", "b", "a"), ("a", "b"))
    others = {
        fingerprint((1, 8, 8), marks[::-1], ("a", "b", "a"), ("a", "b")),
        fingerprint((1, 8, 8), marks, ("a", "a", "b"), ("a", "b")),
        fingerprint((1, 8, 8), marks, None, None),
        fingerprint((1, 4, 16), marks, ("a", "b", "a"), ("a", "b")),
        fingerprint((1, 8, 8), digests(images ^ 1), ("a", "b", "a"), ("a", "b")),
    }
    assert len(others) == 5
    assert base not in others
    assert base == fingerprint((1, 8, 8), list(marks), ["a", "b", "a"], ["a", "b"])


def test_numbered_classes_are_in_the_order_of_numbers():
    assert class_order(["10", "9", "cat", "1", "9"]) == ("1", "9", "10", "cat")


def test_images_that_are_all_the_same_are_told(tmp_path):
    for i in range(4):
        Image.fromarray(np.full((8, 8), 7, np.uint8)).save(tmp_path / f"{i}.png")
    with pytest.raises(UserError, match=r"1 usable image \(3 more are the same\), but one is held out"):
        load_splits(str(tmp_path))
