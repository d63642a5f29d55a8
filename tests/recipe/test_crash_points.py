"""Death before any operation on a file: the run goes on, and its folder is that of one left alone."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from pushforward.cli import main
from pushforward.methods import METHODS as ALL_METHODS
from pushforward.methods import recipe_class
from pushforward.run_folder import RunFolder
from pushforward.streams import streams_of
from tests.crash import folder_state, import_all, killed

COMMON = ["--data=digits", "--steps=12", "--batch-size=16", "--checkpoint-every=4"]
METHODS = {
    "vae": ["vae", "--latent-dim=2", "--hidden=8", "--ema=0.9"],
    "wgan-gp": ["wgan-gp", "--latent-dim=2", "--width=4"],
    "adagan": ["adagan", "--components=2"],
}
STRIDE = 53  # of the suite's own sweep


def sweep(
    words: Sequence[str], folder: Path, *, stride: int, first: int = 1
) -> tuple[int, dict[int, list[str]]]:
    """Points tried, and for those after which something is wrong, what."""
    import_all()
    train = ["train", *words, f"--run={folder}"]
    assert not killed(lambda: main(train), folder, at=0)
    whole = folder_state(folder)
    wrong, points, at = {}, 0, first
    while True:
        shutil.rmtree(folder)
        if not killed(lambda: main(train), folder, at=at):
            return points, wrong
        again = ["train", "--resume", str(folder)] if _resumable(folder) else train
        try:
            killed(lambda again=again: main(again), folder, at=0)
            wrong[at] = unlike(whole, folder_state(folder))
        except AssertionError as error:
            wrong[at] = [str(error)]
        points, at = points + 1, at + stride
        wrong = {k: v for k, v in wrong.items() if v}


def _resumable(folder: Path) -> bool:
    run = RunFolder(folder)
    return run.begun or run.mixture.exists()


def unlike(a: dict, b: dict) -> list[str]:
    """What only one has, and what differs, with where it begins to."""
    alone = [f"{name} is in one alone" for name in sorted(a.keys() ^ b.keys())]
    return alone + [f"{n}: {_first(a[n], b[n])}" for n in sorted(a.keys() & b.keys()) if a[n] != b[n]]


def _first(a: object, b: object) -> str:
    x, y = str(a), str(b)
    i = next((i for i, (p, q) in enumerate(zip(x, y, strict=False)) if p != q), min(len(x), len(y)))
    return f"{x[max(0, i - 60) : i + 60]!r} against {y[max(0, i - 60) : i + 60]!r}"


@pytest.mark.timeout(300)
def test_some_crash_points(tmp_path):
    points, wrong = sweep([*METHODS["vae"], *COMMON], tmp_path / "run", stride=STRIDE)
    assert points > 3
    assert not wrong, "\n".join(f"{at}: {line}" for at, lines in wrong.items() for line in lines)


@pytest.mark.paper
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("method", METHODS)
def test_all_crash_points(method, tmp_path):
    """The claim in full."""
    points, wrong = sweep([*METHODS[method], *COMMON], tmp_path / "run", stride=1)
    assert points > 100
    assert not wrong, "\n".join(f"{at}: {line}" for at, lines in wrong.items() for line in lines)


@pytest.mark.paper
@pytest.mark.timeout(600)
@pytest.mark.parametrize("method", ALL_METHODS)
def test_every_file_of_every_method(method, tmp_path):
    """Two deaths on the way, for each method in its smallest form."""
    words = [method, *COMMON]
    if len(streams_of(recipe_class(method))) > 1:
        sources = ["--data.a=digits", "--data.b=mnist5k", "--image-size=16", "--limit=60"]
        words = [method, *sources, *COMMON[1:], "--width=2", "--blocks=1", "--critic-width=2"]
    points, wrong = sweep(words, tmp_path / "run", stride=40, first=70)
    assert points > 1
    assert not wrong, "\n".join(f"{at}: {line}" for at, lines in wrong.items() for line in lines)
