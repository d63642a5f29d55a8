"""`pushforward translate` as a user meets it: names, refusals, what is broken, and the pixels."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import pushforward
from pushforward.cli import main
from pushforward.cli.many import jobs
from pushforward.cli.train import _next
from pushforward.config import config_from, default_train, read_config
from pushforward.core import to_uint8
from pushforward.errors import UserError
from pushforward.methods import recipe_class

TINY = {"width": 2, "blocks": 1, "critic_width": 2}


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A cyclegan of three steps on colour images of 16 pixels."""
    root = tmp_path_factory.mktemp("cyclegan")
    for name in ("a", "b"):
        np.savez(
            root / f"{name}.npz",
            images=np.random.default_rng(ord(name)).integers(0, 256, (30, 16, 16, 3), np.uint8),
        )
    sources = {name: str(root / f"{name}.npz") for name in ("a", "b")}
    return pushforward.train(
        "cyclegan", data_of=sources, run=str(root / "run"), options=TINY, steps=3, batch_size=2
    )


def test_training_ends_with_the_command_that_translates(run):
    assert _next(run) == f"pushforward translate {run} IN OUT --to b"


def test_a_run_shows_translations_as_it_goes_on_and_its_card_translates(run):
    shown = Image.open(run / "samples" / "latest.png")
    assert len(list((run / "samples").glob("step-*.png"))) == 4
    # 8 columns; an image, its translation and what comes back, from each domain.
    assert shown.width / shown.height == pytest.approx(8 / 6, abs=0.05)
    assert 'images = model.translate(x, to="b")' in (run / "README.md").read_text()


@pytest.mark.parametrize("method", ["cyclegan", "cut"])
def test_a_batch_of_a_translator_has_one_image_unless_asked(method, run):
    sources = read_config(run / "config.yaml").train.data_of
    base = {"method": method, "train": {"data_of": sources}}
    assert config_from(base, where="x").train.batch_size == 1
    asked = {**base, "train": {"data_of": sources, "batch_size": 7}}
    assert config_from(asked, where="x").train.batch_size == 7
    assert default_train(recipe_class("gan")).batch_size == 100


@pytest.fixture
def pictures(tmp_path) -> Path:
    """Pictures in a folder and a sub-folder, with a broken one and a text beside them."""
    root = tmp_path / "pictures"
    (root / "sub").mkdir(parents=True)
    Image.fromarray(noise(20, 31, 3)).save(root / "x.png")
    Image.fromarray(noise(24, 17)).save(root / "sub" / "grey.jpg")
    Image.fromarray(noise(16, 16, 3)).save(root / "moving.gif")
    (root / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    (root / "notes.txt").write_text("none")
    (root / ".hidden.png").write_bytes(b"")
    return root


def said(capsys, *words) -> tuple[dict, str, int]:
    """What the command prints as JSON, its notes, and its exit status."""
    status = 0
    capsys.readouterr()
    try:
        main([*map(str, words), "--json"])
    except SystemExit as stop:
        status = int(stop.code)
    out, err = capsys.readouterr()
    return json.loads(out), err, status


def fails(capsys, *words) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main([str(w) for w in words])
    error = capsys.readouterr().err
    assert (stop.value.code, error.count("\n")) == (2, 1), error
    return error


def files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def translation(run: Path, image: np.ndarray, to: str, **asked) -> np.ndarray:
    x = torch.tensor(image).permute(2, 0, 1)[None]
    return to_uint8(pushforward.load(run).translate(x, to=to, **asked)[0]).permute(1, 2, 0).numpy()


def test_a_folder_keeps_names_and_sub_folders_and_loses_nothing_for_a_broken_picture(
    run, pictures, tmp_path, capsys
):
    out = tmp_path / "new" / "out"
    facts, err, status = said(capsys, "translate", run, pictures, out, "--to", "b")
    assert files(out) == ["moving.gif.png", "sub/grey.jpg", "x.png"]
    assert (facts["n"], facts["not_images"], facts["to"]) == (3, 1, "b")
    assert facts["failed"] == [
        {"in": str(pictures / "broken.png"), "reason": "not an image that can be decoded"}
    ]
    assert status == 1
    assert err.splitlines() == [
        f"note: {pictures / 'broken.png'}: not an image that can be decoded",
        "error: 1 of 4 pictures not translated",
    ]
    by_name = {Path(picture["in"]).name: picture for picture in facts["pictures"]}
    assert by_name["x.png"]["size"] == [31, 20]
    assert by_name["grey.jpg"]["converted"] == ["grey to RGB"]
    assert np.array_equal(pixels(out / "x.png"), translation(run, noise(20, 31, 3), "b"))
    assert pixels(out / "sub" / "grey.jpg").shape == (24, 17, 3)
    assert not list(out.rglob(".partial*"))


def test_one_picture_becomes_one_file_or_goes_into_a_folder(run, pictures, tmp_path, capsys):
    main(["translate", str(run), "--to", "a", str(pictures / "x.png"), str(tmp_path / "y.webp")])
    assert pixels(tmp_path / "y.webp").shape == (20, 31, 3)
    main(["translate", str(run), str(pictures / "x.png"), str(tmp_path / "into"), "--to", "a"])
    assert files(tmp_path / "into") == ["x.png"]
    assert "1 picture translated to a" in capsys.readouterr().out


def test_patterns_and_several_pictures(run, pictures, tmp_path, capsys):
    facts, _, status = said(
        capsys, "translate", run, f"{pictures}/**/*.[jp][pn]g", tmp_path / "out", "--to=a"
    )
    assert files(tmp_path / "out") == ["sub/grey.jpg", "x.png"]
    assert (len(facts["failed"]), status) == (1, 1)
    several = (pictures / "x.png", pictures / "sub" / "grey.jpg")
    _, err, status = said(capsys, "translate", run, *several, tmp_path / "two", "--to=a")
    assert (files(tmp_path / "two"), err, status) == (["grey.jpg", "x.png"], "", 0)


def test_what_is_there_is_refused_before_any_is_written_and_replaced_if_asked(
    run, pictures, tmp_path, capsys
):
    out = tmp_path / "out"
    out.mkdir()
    (out / "x.png").write_text("mine")
    line = fails(capsys, "translate", run, pictures, out, "--to", "b")
    assert f"OUT: {out / 'x.png'} exists already; add --overwrite" in line
    assert files(out) == ["x.png"]
    said(capsys, "translate", run, pictures, out, "--to", "b", "--overwrite")
    assert np.array_equal(pixels(out / "x.png"), translation(run, noise(20, 31, 3), "b"))
    line = fails(capsys, "translate", run, pictures, out, "--to", "b")
    assert "and 2 more exist already" in line


def test_pictures_that_are_read_are_never_written_over(run, pictures, capsys):
    before = (pictures / "x.png").read_bytes()
    for out in (pictures, pictures / "x.png"):
        line = fails(capsys, "translate", run, pictures / "x.png", out, "--to", "b", "--overwrite")
        assert "is a picture that is to be read; name another place" in line
    assert (pictures / "x.png").read_bytes() == before


def test_a_folder_inside_is_not_translated_again(run, pictures, capsys):
    said(capsys, "translate", run, pictures, pictures / "out", "--to", "b")
    facts, _, _ = said(capsys, "translate", run, pictures, pictures / "out", "--to", "b", "--overwrite")
    assert facts["n"] == 3


def test_a_picture_is_turned_upright_and_composited_on_white(run, tmp_path, capsys):
    upright = Image.fromarray(noise(20, 31, 3))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    alpha = noise(20, 31, 4)
    alpha[:, :16, 3] = 0
    alpha[:, 16:, 3] = 255
    Image.fromarray(alpha).save(tmp_path / "clear.png")
    facts, _, _ = said(
        capsys, "translate", run, tmp_path / "turned.png", tmp_path / "clear.png", tmp_path / "out", "--to=b"
    )
    assert [p["converted"] for p in facts["pictures"]] == [
        ["EXIF orientation"],
        ["alpha composited on white"],
    ]
    out = tmp_path / "out"
    assert np.array_equal(pixels(out / "turned.png"), translation(run, noise(20, 31, 3), "b"))
    with Image.open(out / "turned.png") as image:
        assert image.getexif().get(0x0112, 1) == 1
    white = np.where(alpha[..., 3:] == 0, np.uint8(255), alpha[..., :3])
    assert np.array_equal(pixels(out / "clear.png"), translation(run, white, "b"))


def test_sixteen_bits_are_scaled_and_a_range_is_taken_at_its_word(run, tmp_path, capsys):
    values = np.random.default_rng(0).integers(0, 65536, (16, 16)).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    said(capsys, "translate", run, tmp_path / "deep.png", tmp_path / "full.png", "--to=a")
    grey = np.rint(values / 257).astype(np.uint8)
    assert np.array_equal(pixels(tmp_path / "full.png"), translation(run, np.stack([grey] * 3, -1), "a"))
    said(
        capsys,
        "translate",
        run,
        tmp_path / "deep.png",
        tmp_path / "half.png",
        "--to=a",
        "--pixel-range",
        "0",
        "32767.5",
    )
    bright = np.rint((values / 32767.5).clip(0, 1) * 255).astype(np.uint8)
    assert np.array_equal(pixels(tmp_path / "half.png"), translation(run, np.stack([bright] * 3, -1), "a"))


def test_larger_pictures_go_in_tiles(run, tmp_path, capsys):
    large = noise(90, 130, 3)
    Image.fromarray(large).save(tmp_path / "large.png")
    said(capsys, "translate", run, tmp_path / "large.png", tmp_path / "out.png", "--to=a", "--tile=64")
    assert np.array_equal(pixels(tmp_path / "out.png"), translation(run, large, "a", tile=64))


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["IN/x.png", "OUT.png"], "--to: not given; expected one of a, b"),
        (["IN/x.png", "OUT.png", "--to=c"], "--to: 'c'; expected one of a, b"),
        (["IN/x.png", "OUT.png", "--to="], "--to: ''; expected one of a, b"),
        (["", "OUT", "--to=a"], "IN: empty; expected a path"),
        (["IN/x.png", "", "--to=a"], "OUT: empty; expected a path"),
        (["/dev/null", "OUT", "--to=a"], "IN: /dev/null is neither a file nor a folder"),
        (["IN/x.png", "--to=a"], "OUT: not given; expected `pushforward translate RUN IN OUT --to a`"),
        (["--to=a"], "IN and OUT: not given"),
        (["IN/x.png", "OUT.png", "--to=a", "--tile=20"], "--tile: 20; expected at least 64 pixels"),
        (["IN/x.png", "OUT.psd", "--to=a"], "OUT.psd; expected a picture, of .png, .tif"),
        (["IN/none.png", "OUT.png", "--to=a"], "IN: there is no file or folder IN/none.png"),
        (["IN/*.bmp", "OUT", "--to=a"], "IN: no file matches IN/*.bmp; give a picture"),
        (["EMPTY", "OUT", "--to=a"], "IN: the folder EMPTY holds no file"),
        (["IN", "IN/x.png", "--to=a"], "IN/x.png is a file; expected a folder for several pictures"),
        (["IN/x.png", "IN/*.png", "OUT", "--to=a"], "would both become OUT/x.png"),
        (["IN/x.png", "OUT.png", "--to=a", "--pixel-range=5", "1"], "--pixel-range: 5 1; expected"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(words, line, run, pictures, tmp_path, capsys):
    (tmp_path / "EMPTY").mkdir()

    def here(text):
        for word, place in (("IN", pictures), ("OUT", tmp_path / "OUT"), ("EMPTY", tmp_path / "EMPTY")):
            text = text.replace(word + "/", f"{place}/") if text.startswith(word + "/") else text
            text = (
                str(place) + text.removeprefix(word) if text in (word, f"{word}.png", f"{word}.psd") else text
            )
        return text

    before = files(tmp_path)
    error = fails(capsys, "translate", run, *map(here, words))
    for word, place in (
        ("IN/", f"{pictures}/"),
        ("OUT", str(tmp_path / "OUT")),
        ("EMPTY", str(tmp_path / "EMPTY")),
    ):
        error = error.replace(place, word)
    assert line in error
    assert files(tmp_path) == before


def test_a_text_that_is_named_is_no_picture(run, pictures, tmp_path, capsys):
    facts, err, status = said(capsys, "translate", run, pictures / "notes.txt", tmp_path / "o.png", "--to=a")
    assert (facts["n"], status) == (0, 1)
    assert f"note: {pictures / 'notes.txt'}: not an image\n" in err
    assert not (tmp_path / "o.png").exists()


def test_a_method_without_domains_is_refused(finished_run, pictures, tmp_path, capsys):
    line = fails(capsys, "translate", finished_run, pictures, tmp_path / "out", "--to=a")
    assert "a model of the method 'vae' has no second domain to translate to, so it cannot translate" in line


def test_a_write_that_fails_leaves_nothing_behind(run, pictures, tmp_path, capsys, monkeypatch):
    def full(self, file, **options):
        file.write(b"half")
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Image.Image, "save", full)
    line = fails(capsys, "translate", run, pictures / "x.png", tmp_path / "out.png", "--to=a")
    assert f"OUT: cannot write {tmp_path / 'out.png'} (No space left on device)" in line
    assert [name for name in files(tmp_path) if not name.startswith("pictures/")] == []


def test_one_that_cannot_be_written_loses_none_of_the_others(run, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    long = "m" * 250 + ".png"  # whole, but not with what stands before a name while it is written
    for name in ("a.png", long, "z.png"):
        Image.fromarray(noise(8, 8, 3)).save(tmp_path / "in" / name)
    facts, _, status = said(capsys, "translate", run, tmp_path / "in", tmp_path / "out", "--to=b")
    assert (files(tmp_path / "out"), facts["n"], status) == (["a.png", "z.png"], 2, 1)
    assert "File name too long" in facts["failed"][0]["reason"]


def test_alpha_is_kept_only_where_the_format_has_it(tmp_path):
    Image.fromarray(noise(8, 8, 3)).save(tmp_path / "x.jpg")
    made = jobs([str(tmp_path / "x.jpg")], str(tmp_path / "out"), alpha=True)
    assert [job.out.name for job in made] == ["x.jpg.png"]
    with pytest.raises(UserError, match=r"expected a picture, of \.png, \.tif, \.tiff"):
        jobs([str(tmp_path / "x.jpg")], str(tmp_path / "y.jpg"), alpha=True)
