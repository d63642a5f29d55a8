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


@pytest.mark.parametrize("name", [name for name, entry in NAMED.items() if entry.packages])
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


def test_emoji_come_in_two_styles_on_white_by_category(home):
    folder, entries = home("emoji"), []
    for i, (name, category) in enumerate([("b.png", "Food"), ("a.png", "Animals"), ("c.png", "Food")]):
        entries.append({"image": name, "category": category, "sort_order": -i})
        for style in ("google", "twitter"):
            path = folder / "img" / style / "64" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = noise(i + 10 * len(style), 64, 64, 4)
            pixels[:32, :, 3], pixels[32:, :, 3] = 0, 255
            Image.fromarray(pixels).save(path)
    (folder / "emoji.json").write_text(json.dumps(entries))
    data = load_dataset("emoji")
    names = ("c.png", "a.png", "b.png")
    assert data.names == tuple(f"{style}/{name}" for style in ("google", "twitter") for name in names)
    assert (data.classes, data.labels.tolist()) == (("Animals", "Food"), [1, 0, 1] * 2)
    assert (data.x[:, :, :32] == 255).all()
    assert np.array_equal(data.x[2, :, 32:].permute(1, 2, 0), noise(60, 64, 64, 4)[32:, :, :3])
    assert load_dataset("emoji", channels=4).shape == (4, 64, 64)


OPAQUE, HOLED, NARROW = "opaque", "holed", "narrow"


def test_crawl_tiles_are_cut_where_they_lie(home):
    """Of a row: a narrow tile moves what comes after it, one with a hole does not."""
    folder = home("crawl-tiles")
    rows = [[OPAQUE] * 4, [OPAQUE, HOLED, OPAQUE, OPAQUE], [OPAQUE, NARROW, OPAQUE, OPAQUE], [HOLED] * 4]
    expected, sheet = [], np.zeros((128, 4 * 32, 4), np.uint8)
    for i, row in enumerate(rows):
        left = 0
        for j, kind in enumerate(row):
            pixels = noise(10 * i + j, 32, 22 if kind == NARROW else 32, 4)
            pixels[..., 3] = 255
            pixels[:12, 16 if kind == HOLED else 0, 3] = 255 * (kind == OPAQUE)
            pixels[4, :, 3] = 255 * (kind != NARROW)
            sheet[32 * i : 32 * i + 32, left : left + pixels.shape[1]] = pixels
            expected += [pixels[..., :3]] * (kind == OPAQUE)
            left += pixels.shape[1]
    Image.fromarray(sheet).save(folder / "floor.png")
    Image.fromarray(sheet[:32]).save(folder / "wall.png")
    data = load_dataset("crawl-tiles")
    assert data.labels is None
    assert data.names[:4] == ("floor/0,0", "floor/0,32", "floor/0,64", "floor/0,96")
    assert data.names[4:] == (
        "floor/32,0",
        "floor/32,64",
        "floor/32,96",
        "floor/64,0",
        "floor/64,54",
        "floor/64,86",
    )
    assert np.array_equal(data.x.permute(0, 2, 3, 1), np.stack(expected))  # those of the wall are the same


def test_a_damaged_cache_is_told_in_one_line(home):
    folder = home("fashion-mnist")
    idx_folder(folder, "train", "t10k", pack=True)
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"short"))
    with pytest.raises(UserError, match=r"--data fashion-mnist: t10k-images-idx3-ubyte\.gz: not an IDX file"):
        load_dataset("fashion-mnist")
