"""What training says of its data before it learns: what is held out, what was skipped and converted."""

from __future__ import annotations

from pushforward.data import load_splits
from pushforward.runs.told import told
from tests.unit.data.pictures import folder_of, picture


def test_the_held_out_images_are_told(tmp_path):
    folder_of(tmp_path, [f"train/{i}.png" for i in range(5)] + ["valid/5.png", "test/6.png"])
    (line,) = told(load_splits(str(tmp_path)), train=4)
    assert line == (
        f"data    {tmp_path}: 4 images to train on, 1 set aside to choose the best weights, "
        "2 held out (official: test/, valid/)"
    )


def test_what_was_skipped_and_converted_is_told_in_a_line(tmp_path):
    folder_of(tmp_path, [f"{i}.png" for i in range(30)])
    (tmp_path / "notes.txt").write_text("no image, and it does not claim to be")
    (tmp_path / "broken.png").write_text("I am no image.\n")
    picture(99).convert("L").save(tmp_path / "grey.png")
    splits = load_splits(str(tmp_path), image_size=16)
    line = told(splits, train=len(splits.train))[1]
    assert "skipped 1 (1 × text, not an image), converted 1 (1 × grey to RGB)" in line
    assert "data info" in line


def test_a_batch_that_is_larger_than_the_data_is_told(tmp_path):
    folder_of(tmp_path, [f"{i}.png" for i in range(12)])
    splits = load_splits(str(tmp_path))
    line = told(splits, train=len(splits.train), batch_size=100)[-1]
    assert f"--batch-size {len(splits.train)} shows each once" in line
