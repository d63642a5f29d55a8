"""What `pushforward sample` writes, and what it refuses."""

from __future__ import annotations

import json
import weakref

import numpy as np
import pytest
import torch
from PIL import Image

from pushforward import load
from pushforward.cli import main
from pushforward.cli.output import write_array, write_folder
from pushforward.core import to_uint8
from pushforward.data import load_dataset
from pushforward.models.model import Model
from pushforward.pictures.animation import there_and_back


@pytest.fixture
def sample(finished_run, capsys):
    """Runs the command on a small finished run, and gives what it prints as JSON."""

    def command(*words) -> dict:
        main(["sample", str(finished_run), *map(str, words), "--json"])
        return json.loads(capsys.readouterr().out)

    return command


def test_an_array_is_written_part_by_part(sample, finished_run, tmp_path):
    facts = sample("--n", 150, "--seed", 3, "--out", tmp_path / "a.npz")
    assert (facts["n"], facts["seeds"], facts["truncation"]) == (150, None, None)
    with np.load(tmp_path / "a.npz") as archive:
        assert archive.files == ["images"]
        images = archive["images"]
    expected = to_uint8(load(finished_run).sample(150, seed=3)).permute(0, 2, 3, 1).numpy()
    assert images.dtype == np.uint8
    assert np.array_equal(images, expected)
    assert load_dataset(str(tmp_path / "a.npz")).shape == (3, 8, 8)


def breaking(seen):
    """Three parts, then an error. seen: how many of the earlier parts are still held, at each."""
    made = []
    for _ in range(3):
        seen.append(sum(part() is not None for part in made[:-1]))
        part = torch.zeros(64, 1, 8, 8)
        made.append(weakref.ref(part))
        yield part
        del part
    raise RuntimeError("the generator broke")


@pytest.mark.parametrize("write", [write_array, write_folder])
def test_parts_are_not_kept_and_what_breaks_midway_leaves_what_was_there(write, tmp_path):
    seen: list[int] = []
    path = tmp_path / "x.npz"
    if write is write_array:
        path.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="broke"):
        write(breaking(seen), 10**6, path)
    assert seen == [0, 0, 0]
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("x.npz", b"old")] * path.exists()


def test_a_grid_says_how_many_and_how(sample, tmp_path):
    a = sample("--grid", "5x3", "--scale", 1, "--out", tmp_path / "a.png")
    sample("--n", 15, "--columns", 5, "--scale", 1, "--out", tmp_path / "b.png")
    assert a["n"] == 15
    assert Image.open(tmp_path / "a.png").size == (5 * 10 + 2, 3 * 10 + 2)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_truncation_narrows_the_samples(sample, tmp_path):
    spread = []
    for factor in (1.0, 0.1):
        facts = sample("--truncation", factor, "--n", 40, "--out", tmp_path / f"{factor}.npz")
        assert facts["truncation"] == factor
        spread.append(np.load(facts["out"])["images"].astype(float).var(0).mean())
    assert spread[1] < spread[0] / 4


def test_a_walk_is_a_strip_or_moves(sample, tmp_path):
    facts = sample("--seeds", 1, 2, "--interpolate", 4, "--scale", 2, "--out", tmp_path / "a.png")
    assert (facts["n"], facts["seed"], facts["seeds"]) == (4, None, [1, 2])
    with Image.open(tmp_path / "a.png") as strip:
        assert strip.size == (2 * (4 * 10 + 2), 2 * 12)
        first, last = strip.crop((4, 4, 20, 20)), strip.crop((64, 4, 80, 20))
    for end, seed in ((first, 1), (last, 2)):
        sample("--n", 1, "--seed", seed, "--scale", 2, "--out", tmp_path / "one.png")
        alone = np.asarray(Image.open(tmp_path / "one.png"))[4:-4, 4:-4].astype(int)
        assert np.abs(np.asarray(end).astype(int) - alone).max() <= 1
    sample("--seeds", 1, 2, "--interpolate", 4, "--scale", 2, "--out", tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as moving:
        assert (moving.n_frames, moving.size, moving.info["loop"]) == (6, (16, 16), 0)
    assert sample("--seeds", 1, 2, "--out", tmp_path / "a.npz")["n"] == 9


def test_a_gif_runs_to_its_last_frame_and_back_without_transparency(tmp_path):
    frames = [Image.new("LA", (4, 4), (0, alpha)) for alpha in (0, 128, 255)]
    there_and_back(frames, tmp_path / "a.gif", milliseconds=50)
    seen = []
    with Image.open(tmp_path / "a.gif") as moving:
        for i in range(moving.n_frames):
            moving.seek(i)
            seen.append(moving.convert("L").getpixel((0, 0)))
            assert moving.info["duration"] == 50
    assert seen == pytest.approx([255, 127, 0, 127], abs=2)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--truncation 0", "--truncation: 0.0; expected a factor above 0, at most 1"),
        ("--truncation nan", "--truncation: nan"),
        ("--truncation 0.5 --from aggregate", "no prior to narrow; leave one out"),
        ("--interpolate 5", "--interpolate: 5, but no ends to walk between; add --seeds A B"),
        ("--seeds 1 2 --interpolate 1", "--interpolate: 1; expected at least 2"),
        ("--seeds 1 2 --interpolate 5000", "--interpolate: 5000; expected at most 1,000"),
        ("--seeds 1 -2", "--seeds: -2"),
        ("--seeds 1", "--seeds"),
        ("--seeds 1 2 --n 5", "--n: given with --seeds 1 2, a walk between two codes; take --interpolate"),
        ("--seeds 1 2 --seed 5", "--seed: given with --seeds 1 2"),
        ("--seeds 1 2 --grid 3x3", "--grid: given with --seeds 1 2"),
        ("--seeds 1 2 --from aggregate", "--from aggregate: given with --seeds 1 2"),
        ("--grid 3", "--grid: 3; expected columns x rows, such as 12x4"),
        ("--grid 0x3", "--grid: 0x3; expected"),
        ("--grid 3x4 --n 5", "--grid: 3x4, which is --n 12 --columns 3"),
        ("--grid 3x4 --columns 4", "--grid: 3x4, which is"),
        ("--grid 3x4 --out a.npz", "--grid: 3x4, but --out a.npz is not one picture"),
        ("--grid 2000x2", "--columns: 2000; expected at most 1,000"),
        ("--out a.gif", "--out: a.gif; a GIF shows a walk: add --seeds A B"),
    ],
)
def test_mistakes_are_one_line_and_nothing_is_written(
    words, told, finished_run, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    before = sorted(path.name for path in finished_run.iterdir())
    with pytest.raises(SystemExit) as stop:
        main(["sample", str(finished_run), *words.split()])
    line = capsys.readouterr().err
    assert (stop.value.code, line.count("\n")) == (2, 1)
    assert told in line
    assert list(tmp_path.iterdir()) == []
    assert sorted(path.name for path in finished_run.iterdir()) == before


@pytest.mark.parametrize("words", ["--seeds 1 2", "--truncation 0.5"])
def test_a_model_that_cannot_is_told_so_with_the_options_name(
    words, finished_run, monkeypatch, tmp_path, capsys
):
    monkeypatch.setattr(Model, "can", lambda self, ability: ability.__name__ == "Samples")
    with pytest.raises(SystemExit):
        main(["sample", str(finished_run), *words.split(), "--out", str(tmp_path / "x.png")])
    told = (
        f"{words.split()[0]}: {' '.join(words.split()[1:])}, but a model of the method 'vae' has no Gaussian"
    )
    assert told in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
