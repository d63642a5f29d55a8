"""What folders mean: splits under the names of others, labels, shards, domains; and what is refused."""

from __future__ import annotations

import pytest

from pushforward.data.layout import Layout, layout_of, role_of
from pushforward.data.paths import parts_of


def layout(*names: str, **options) -> Layout:
    return layout_of(parts_of(names), **options)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        *((n, "train") for n in ("train", "Train", "TRAINING", "train2017", "training_set", "trainset")),
        *((n, "train") for n in ("train_images", "train-data", "Train Set", "trainImages")),
        *((n, "val") for n in ("val", "valid", "validation", "dev", "eval", "val2017", "Validation Set")),
        *((n, "test") for n in ("test", "Testing", "test_set", "test-2019", "testset", "holdout")),
    ],
)
def test_a_folder_that_looks_like_a_part_of_a_split_is_one(name, part):
    assert role_of(name).part == part
    assert not role_of(name).stem


@pytest.mark.parametrize(
    "name", ["testudo", "trainers", "devil", "invalid", "evergreen", "contest", "cup", "7"]
)
def test_a_word_that_only_begins_like_it_is_none(name):
    assert role_of(name) is None


@pytest.mark.parametrize(
    ("train", "held"),
    [
        ("train", ("test",)),
        ("train", ("val", "test")),
        ("training_set", ("test_set",)),
        ("train2017", ("val2017",)),
        ("train", ("dev",)),
        ("train", ("eval",)),
        ("seg_train", ("seg_test",)),
        ("01-training", ("02-test",)),
        ("1_train", ("2_val", "3_test")),
        ("train (1)", ("test (1)",)),
        ("train_80", ("test_20",)),
    ],
)
def test_held_out_folders_are_held_out(train, held):
    names = [f"{train}/cat/1.png", f"{train}/dog/2.png", *(f"{h}/cat/3.png" for h in held)]
    found = layout(*names)
    assert not found.problem
    assert found.test.tolist() == [False, False, *(True for _ in held)]
    assert found.labels == ("cat", "dog", *("cat" for _ in held))
    assert all(f"{h}/" in found.how for h in held)


def test_yolos_images_folder_is_no_label():
    found = layout("train/images/1.png", "train/images/2.png", "valid/images/3.png", "test/images/4.png")
    assert found.test.tolist() == [False, False, True, True]
    assert found.labels is None
    found = layout("images/train/1.png", "images/val/2.png")
    assert found.test.tolist() == [False, True]


def test_the_split_may_repeat_its_own_name():
    """As some archives do: seg_train/seg_train/glacier/1.jpg."""
    found = layout(
        "seg_train/seg_train/ice/1.png", "seg_train/seg_train/sea/2.png", "seg_test/seg_test/sea/3.png"
    )
    assert found.labels == ("ice", "sea", "sea")


def test_the_label_may_be_above_the_split():
    found = layout("cup/train/1.png", "cup/test/2.png", "pot/train/3.png", "pot/test/4.png")
    assert found.test.tolist() == [False, True, False, True]
    assert found.labels == ("cup", "cup", "pot", "pot")


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        ("stray.png", "1 image outside of any folder"),
        ("samples/3.png", "`samples` (1)"),
        ("single_prediction/3.png", "`single_prediction` (1)"),
    ],
)
def test_a_mixture_is_refused_with_what_was_found(extra, told):
    found = layout("train/cat/1.png", "test/cat/2.png", extra)
    assert told in found.problem
    assert "`train` (1)" in found.problem


def test_what_lies_beside_label_first_is_refused():
    found = layout("cup/train/1.png", "cup/test/2.png", "pot/3.png")
    assert "pot/3.png" in found.problem


def test_two_domains_are_refused_by_name():
    found = layout(
        *(f"{part}{domain}/{i}.png" for i, part in enumerate(("train", "test")) for domain in "AB")
    )
    assert "2 domains" in found.problem
    assert "A (testA, trainA) and B (testB, trainB)" in found.problem
    one = layout("trainA/1.png", "testA/2.png")
    assert one.test.tolist() == [False, True]


@pytest.mark.parametrize("between", ["img/", "2019/raw/"])
def test_the_split_may_lie_deeper(between):
    found = layout(*(f"{c}/{between}{s}/{i}.png" for i, (c, s) in enumerate([("a", "train"), ("b", "test")])))
    assert found.test.tolist() == [False, True]
    assert found.labels == ("a", "b")


@pytest.mark.parametrize("below", ["", "training/"])
def test_masks_beside_images_are_no_class(below):
    found = layout(f"images/{below}1.png", f"annotations/{below}1.png")
    assert "name the folder of the images" in found.problem


def test_domains_may_have_names():
    names = [
        f"{d}_{s}/{i}.png"
        for i, (d, s) in enumerate((d, s) for d in ("photo", "monet") for s in ("train", "test"))
    ]
    assert "2 domains, monet (monet_test, monet_train) and photo" in layout(*names).problem
    assert "2 domains" in layout("trainX/1.png", "trainY/2.png", "testX/3.png", "testY/4.png").problem


def test_numbered_tests_alone_stay_labels():
    assert layout("test 1/a.png", "test 2/b.png").labels == ("test 1", "test 2")


def test_held_out_parts_alone_train_nothing():
    assert "for training" in layout("val/1.png", "test/2.png").problem
    assert "held out" in layout("train/1.png", "train2017/2.png").problem


def test_one_part_given_by_itself_is_a_source():
    found = layout("train/cat/1.png", "train/dog/2.png")
    assert not found.problem
    assert found.test is None
    assert found.labels == ("cat", "dog")


def test_labels_with_such_a_word_among_others_stay_labels():
    """A stem of its own makes a name a label, unless the other part is there as well."""
    found = layout("toy_train/1.png", "toy_car/2.png")
    assert found.labels == ("toy_train", "toy_car")


def test_the_shards_of_stylegan_are_no_labels():
    assert layout("00000/img00000000.png", "00001/img00001000.png").labels is None
    assert layout("00000/a.png", "00001/b.png", sharded=True).labels is None
    assert layout("00000/a.png", "00001/b.png").labels == ("00000", "00001")
    assert layout("0/a.png", "1/b.png", sharded=True).labels == ("0", "1")
