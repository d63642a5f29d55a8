"""Checkpoints survive what can happen to a disk."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from pushforward.errors import UserError
from pushforward.files import write_durably
from pushforward.training import checkpoint as module
from pushforward.training.checkpoint import (
    Checkpoint,
    newest_checkpoint,
    optimizer_state,
    restore_optimizer,
    save_checkpoint,
)
from tests.runs import trainer


def some(value: float) -> Checkpoint:
    weight = torch.full((3,), value)
    return Checkpoint({"algorithm": {"w": weight, "tied": weight}}, {"value": value})


def test_round_trip(tmp_path):
    save_checkpoint(tmp_path, 5, some(1.5))
    folder, read = newest_checkpoint(tmp_path)
    assert folder.name == "step-0000005"
    assert read.values == {"value": 1.5}
    assert torch.equal(read.tensors["algorithm"]["tied"], torch.full((3,), 1.5))
    assert (tmp_path / "latest").read_text() == "step-0000005"


def test_step_zero_and_the_newest_two_are_kept(tmp_path):
    for step in (0, 1, 2, 3, 4):
        save_checkpoint(tmp_path, step, some(step))
    assert sorted(p.name for p in tmp_path.glob("step-*")) == ["step-0000000", "step-0000003", "step-0000004"]


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "manifest"])
def test_a_damaged_newest_falls_back_to_the_one_before(tmp_path, damage):
    save_checkpoint(tmp_path, 1, some(1.0))
    newest = save_checkpoint(tmp_path, 2, some(2.0))
    target = newest / "algorithm.safetensors"
    content = bytearray(target.read_bytes())
    if damage == "flip":
        content[-1] ^= 1
        target.write_bytes(content)
    elif damage == "truncate":
        target.write_bytes(content[:-4])
    elif damage == "remove":
        target.unlink()
    else:
        (newest / "manifest.json").write_text("{")
    assert newest_checkpoint(tmp_path)[1].values == {"value": 1.0}


def test_no_whole_checkpoint_is_one_clear_line(tmp_path):
    folder = save_checkpoint(tmp_path, 1, some(1.0))
    (folder / "values.json").write_text("{}")
    with pytest.raises(UserError, match=r"no whole checkpoint.*values.json does not match its checksum"):
        newest_checkpoint(tmp_path)


@pytest.mark.parametrize("failing", ["write_bytes", "fsync"])
def test_a_disk_that_fills_midway_leaves_the_last_one_whole(tmp_path, monkeypatch, failing):
    save_checkpoint(tmp_path, 1, some(1.0))

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module if failing == "fsync" else Path, failing, full)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(tmp_path, 2, some(2.0))
    monkeypatch.undo()
    assert [p.name for p in tmp_path.glob("*step*")] == ["step-0000001"]
    assert newest_checkpoint(tmp_path)[1].values == {"value": 1.0}


def test_a_kill_while_writing_leaves_no_checkpoint_and_is_tidied_up(tmp_path):
    partial = tmp_path / ".partial-step-0000009"
    partial.mkdir(parents=True)
    (partial / "algorithm.safetensors").write_bytes(b"half")
    with pytest.raises(UserError, match="holds none"):
        newest_checkpoint(tmp_path)
    save_checkpoint(tmp_path, 1, some(1.0))
    assert not partial.exists()


def test_write_durably_replaces_whole(tmp_path):
    path: Path = tmp_path / "f"
    path.write_bytes(b"old")
    write_durably(path, b"new")
    assert path.read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (torch.optim.Adam, {"fused": True, "betas": (0.5, 0.9)}),
        (torch.optim.RMSprop, {"momentum": 0.5}),
        (torch.optim.SGD, {"momentum": 0.9}),
        (torch.optim.SGD, {}),
    ],
)
def test_optimizer_state_round_trip_continues_exactly(kind, options):
    def stepped(net, optimizer, n):
        for i in range(n):
            optimizer.zero_grad()
            net(torch.full((2, 3), float(i + 1))).sum().backward()
            optimizer.step()

    torch.manual_seed(0)
    net = nn.Linear(3, 2)
    optimizer = kind(net.parameters(), lr=0.1, **options)
    stepped(net, optimizer, 3)
    saved = {k: v.clone() for k, v in optimizer_state(optimizer).items()}
    json.dumps(list(saved))

    other = nn.Linear(3, 2)
    other.load_state_dict(net.state_dict())
    fresh = kind(other.parameters(), lr=0.1, **options)
    restore_optimizer(fresh, saved)
    stepped(net, optimizer, 2)
    stepped(other, fresh, 2)
    assert torch.equal(net.weight, other.weight)


def test_the_newest_is_found_by_number_when_names_grow_longer(tmp_path):
    for step in (9_999_000, 10_000_000, 10_001_000):
        save_checkpoint(tmp_path, step, some(step))
    assert newest_checkpoint(tmp_path)[0].name == "step-10001000"
    assert {p.name for p in tmp_path.glob("step-*")} == {"step-10000000", "step-10001000"}


def test_checkpoints_between_those_that_are_due_go_with_the_next(tmp_path):
    for step in (0, 4, 5, 8, 9, 11, 12):
        save_checkpoint(tmp_path, step, Checkpoint({}, {"value": float(step)}), every=4)
        kept = {p.name for p in tmp_path.glob("step-*")}
        assert f"step-{step:07d}" in kept
    assert sorted(kept) == ["step-0000000", "step-0000008", "step-0000012"]


@pytest.mark.parametrize("undone", ["pointer", "older ones", "partial"])
def test_a_resume_does_what_a_death_after_the_checkpoint_left_undone(undone, tmp_path):
    """At the last step no other save would come to do it."""
    t = trainer(tmp_path, "vae", steps=8, settings={"checkpoint_every": 2})
    t.start()
    t.run()
    root = tmp_path / "checkpoints"
    whole = sorted(p.name for p in root.iterdir())
    if undone == "pointer":
        (root / "latest").write_text("step-0000006")
    elif undone == "older ones":
        shutil.copytree(root / "step-0000006", root / "step-0000004")
    else:
        (root / ".partial-latest").write_text("step-00")
    again = trainer(tmp_path, "vae", steps=8, settings={"checkpoint_every": 2})
    again.resume()
    assert sorted(p.name for p in root.iterdir()) == whole
    assert (root / "latest").read_text() == "step-0000008"


def test_nothing_is_dropped_while_the_newest_is_damaged(tmp_path):
    t = trainer(tmp_path, "vae", steps=8, settings={"checkpoint_every": 2})
    t.start()
    t.run()
    root = tmp_path / "checkpoints"
    (root / "step-0000008" / "values.json").write_text("{")
    before = sorted(p.name for p in root.iterdir())
    again = trainer(tmp_path, "vae", steps=8, settings={"checkpoint_every": 2})
    with pytest.warns(UserWarning, match="left out"):
        again.resume()
    assert again.clock.step == 6
    assert sorted(p.name for p in root.iterdir()) == before
