import numpy as np
import pytest
import torch

from pushforward.data import Dataset, load_dataset, load_splits
from pushforward.errors import UserError
from tests.unit.data.pictures import folder_of, noise, picture


def names(*numbers):
    return [f"{i}.png" for i in numbers]


def test_a_named_set_is_split_ten_to_one():
    splits = load_splits("digits")
    assert (len(splits.train), len(splits.test)) == (1596, 201)
    assert splits.train.classes == tuple("0123456789")
    assert not set(splits.train.names) & set(splits.test.names)


def test_the_limit_applies_to_the_training_images_alone():
    splits, whole = load_splits("digits", limit=50, limit_seed=3), load_splits("digits")
    assert (len(splits.train), len(splits.test)) == (50, 201)
    assert set(splits.train.names) < set(whole.train.names)
    assert splits.train.fingerprint != whole.train.fingerprint
    assert splits.train.classes == whole.train.classes
    assert splits.test.fingerprint == whole.test.fingerprint
    with pytest.raises(UserError, match="`limit` 5000: expected 1 to 1596"):
        load_splits("digits", limit=5000)


def test_one_class_left_by_the_limit_keeps_its_number():
    whole, one = load_splits("digits"), load_splits("digits", limit=1)
    row = whole.train.names.index(one.train.names[0])
    assert one.train.labels[0] == whole.train.labels[row]


def test_another_source_is_held_out(tmp_path):
    train = folder_of(tmp_path / "train", names(*range(10)))
    test = folder_of(tmp_path / "test", names(*range(3)), lambda seed: picture(seed + 7))  # 3 are in both
    splits = load_splits(str(train), test=str(test))
    assert splits.train.names == tuple(names(*range(7)))
    assert len(splits.test) == 3
    assert splits.train.scan.duplicates == 3
    assert splits.how == f"--test {test}"


def test_the_held_out_source_comes_to_the_same_channels(tmp_path):
    train = folder_of(tmp_path / "train", names(1, 2), lambda seed: picture(seed).convert("L"))
    test = folder_of(tmp_path / "test", names(1, 2), lambda seed: picture(seed + 9))
    splits = load_splits(str(train), test=str(test))
    assert splits.train.shape == splits.test.shape == (1, 40, 32)


def test_labels_of_both_sources_share_their_numbers(tmp_path):
    train = folder_of(tmp_path / "train", ["b/1.png", "c/2.png"])
    test = folder_of(tmp_path / "test", ["a/1.png", "c/2.png"], lambda seed: picture(seed + 9))
    splits = load_splits(str(train), test=str(test))
    assert splits.train.classes == splits.test.classes == ("b", "c", "a")
    assert splits.train.labels.tolist() == [0, 1]
    assert splits.test.labels.tolist() == [2, 1]


def test_held_out_mistakes(tmp_path):
    train = str(folder_of(tmp_path / "train", names(1, 2)))
    small = str(folder_of(tmp_path / "small", names(1), lambda seed: picture(seed, 9, 9)))
    with pytest.raises(UserError, match=r"--test .*small: images of 9 × 9 .* `image_size` 32"):
        load_splits(train, test=small)
    with pytest.raises(UserError, match=r"--test .*train: it holds every image"):
        load_splits(train, test=train)
    with pytest.raises(UserError, match=r"^--test nowhere: no such file"):
        load_splits(train, test="nowhere")


@pytest.mark.parametrize(
    ("source", "options", "reason"),
    [
        ("digitz", {}, r"--data digitz: no such file .* perhaps you meant 'digits'; named sets: mnist5k,"),
        ("", {}, "--data: an empty name"),
        ("x" * 5000, {}, "cannot be read .*too long"),
        ("digits", {"image_size": 7}, "--image-size 7: expected 8 to 256"),
        ("digits", {"image_size": 257}, "--image-size 257: expected 8 to 256"),
        ("digits", {"channels": 5}, "--channels 5: expected 1"),
        ("digits", {"channels": 0}, "--channels 0: expected 1"),
    ],
)
def test_mistakes_name_the_argument(source, options, reason, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=reason):
        load_dataset(source, **options)


def test_a_file_that_is_no_source(tmp_path):
    (tmp_path / "x.txt").write_text("hello")
    with pytest.raises(UserError, match="is none of a folder of images"):
        load_dataset(str(tmp_path / "x.txt"))


def test_a_name_wins_over_a_folder_of_that_name(tmp_path, monkeypatch):
    folder_of(tmp_path / "digits", names(1, 2))
    monkeypatch.chdir(tmp_path)
    assert len(load_dataset("digits")) == 1797
    assert len(load_dataset("./digits")) == 2


def test_a_subset_takes_rows_with_all_that_belongs_to_them():
    data = load_dataset("digits")
    part = data.subset([5, 3])
    assert torch.equal(part.x, data.x[[5, 3]])
    assert torch.equal(part.labels, data.labels[[5, 3]])
    assert part.names == (data.names[5], data.names[3])
    assert part.classes == data.classes
    assert data.subset(range(len(data))).fingerprint == data.fingerprint
    assert part.fingerprint not in (data.fingerprint, data.subset([3, 5]).fingerprint)


def test_moving_keeps_everything():
    data = load_dataset("digits")
    moved = data.to("cpu")
    assert torch.equal(moved.x, data.x)
    assert moved.fingerprint == data.fingerprint


def test_a_data_set_from_tensors():
    images = torch.from_numpy(noise(0, 4, 3, 8, 8))
    data = Dataset.of(images, torch.tensor([0, 2, 1, 0]))
    assert (len(data), data.shape, data.classes) == (4, (3, 8, 8), ("0", "1", "2"))
    assert Dataset.of(images).classes is None
    assert Dataset.of(images).fingerprint != data.fingerprint


def test_the_split_and_the_subset_do_not_change_with_size_and_channels(tmp_path):
    folder = str(folder_of(tmp_path, names(*range(60))))
    plain = load_splits(folder, limit=20)
    for options in ({"image_size": 16}, {"channels": 1}, {"image_size": 8, "channels": 4}):
        other = load_splits(folder, limit=20, **options)
        assert other.train.names == plain.train.names
        assert other.test.names == plain.test.names


def test_a_folder_and_an_npz_of_the_same_pixels_agree(tmp_path):
    folder_of(tmp_path / "files", [f"{i:02}.png" for i in range(30)])
    np.savez(tmp_path / "x.npz", images=np.stack([np.asarray(picture(i)) for i in range(30)]))
    files, arrays = load_splits(str(tmp_path / "files")), load_splits(str(tmp_path / "x.npz"))
    assert files.train.fingerprint == arrays.train.fingerprint
    assert files.test.fingerprint == arrays.test.fingerprint


def test_the_fingerprint_is_the_same_on_every_machine():
    """Frozen: a change of decoding, order, duplicates or hashing shows here."""
    data = load_dataset("digits")
    assert data.fingerprint == "1fc063e60dfa7d9907b99160ffbfcddccee95eceb117de7b636366e5e20b00ed"
