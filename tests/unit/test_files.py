"""What the system itself may refuse: what is safe stays safe, and the line names the file."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from pathlib import Path

import pytest

from pushforward.cli import main
from pushforward.errors import RunFailed
from pushforward.files import fsync, whole, write_durably
from pushforward.training.folder import locked
from tests.runs import trainer


def failing(number, *, only=lambda *a: True):
    def fail(*args, **kwargs):
        if only(*args):
            raise OSError(number, os.strerror(number))
        return None

    return fail


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_a_file_that_cannot_be_written_is_named_and_the_old_one_stays(number, tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_durably(path, b"old")
    monkeypatch.setattr(os, "fsync", failing(number))
    with pytest.raises(OSError, match=r"a\.json") as raised:
        write_durably(path, b"new")
    assert raised.value.errno == number
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]  # nothing is left behind


def _stopped(file):
    file.write(b"half")
    raise KeyboardInterrupt


def test_a_file_appears_when_all_of_it_is_there(tmp_path):
    path = tmp_path / "a.bin"
    with whole(path) as file:
        file.write(b"one")
        assert not path.exists()
        file.write(b"two")
    assert path.read_bytes() == b"onetwo"
    with pytest.raises(KeyboardInterrupt), whole(path) as file:
        _stopped(file)
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a.bin", b"onetwo")]


def test_a_file_system_that_cannot_flush_folders_is_no_error(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", failing(errno.EINVAL))
    fsync(tmp_path)
    (tmp_path / "x").write_bytes(b"")
    with pytest.raises(OSError, match="x"):
        fsync(tmp_path / "x")


def test_a_lock_that_was_deleted_or_cannot_be_is_no_bad_end(tmp_path, monkeypatch):
    with locked(tmp_path):
        (tmp_path / "LOCK").unlink()
    with locked(tmp_path):
        monkeypatch.setattr(type(tmp_path), "unlink", failing(errno.EACCES))
    monkeypatch.undo()
    with locked(tmp_path):
        pass


def test_old_checkpoints_that_cannot_go_cost_room_alone(tmp_path, monkeypatch):
    t = trainer(tmp_path, "vae", steps=12)
    t.start()
    keep = shutil.rmtree
    monkeypatch.setattr(shutil, "rmtree", lambda p, **k: keep(p, **k) if k else failing(errno.EACCES)(p))
    with pytest.warns(UserWarning, match="could not be removed"):
        t.run()
    assert t.clock.step == 12


@pytest.mark.parametrize(("number", "told"), [(errno.EIO, "cannot be written"), (errno.ENOSPC, "is full")])
def test_a_run_that_cannot_go_on_says_why_and_how_it_does(number, told, tmp_path, monkeypatch):
    whole = trainer(tmp_path / "whole", "vae", steps=8)
    whole.start()
    whole.run()
    t = trainer(tmp_path / "cut", "vae", steps=8)
    t.start()
    monkeypatch.setattr(os, "fsync", failing(number))
    with pytest.raises(RunFailed, match=rf"{told}.*the last checkpoint is whole.*--resume"):
        t.run()
    monkeypatch.undo()  # there is room again
    again = trainer(tmp_path / "cut", "vae", steps=8)
    again.resume()
    again.run()
    assert (tmp_path / "cut/metrics.jsonl").read_text().count("\n") == (
        tmp_path / "whole/metrics.jsonl"
    ).read_text().count("\n")
    for name, value in whole.algorithm.state_dict().items():
        assert value.equal(again.algorithm.state_dict()[name])


def test_an_error_of_the_system_is_told_without_its_number(monkeypatch, capsys):
    def fail(argv):
        raise OSError(errno.EACCES, "Permission denied", "some/file")

    monkeypatch.setattr("pushforward.cli.report.run", fail)
    with pytest.raises(SystemExit) as stop:
        main(["report", "x"])
    assert stop.value.code == 1
    assert capsys.readouterr().err.startswith("error: some/file: Permission denied; ")


def test_a_file_system_without_locks_is_told_and_used(tmp_path, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", failing(errno.ENOLCK))
    with pytest.warns(UserWarning, match="cannot be locked.*no second process"), locked(tmp_path):
        pass


def test_a_finished_run_keeps_no_lock_of_a_process_that_died_at_its_end(tmp_path, capsys):
    main(["train", "vae", "--data=digits", "--steps=1", "--hidden=8", f"--run={tmp_path / 'r'}"])
    (tmp_path / "r" / "LOCK").write_text("process 1 on nowhere")
    main(["train", "--resume", str(tmp_path / "r")])
    assert "is finished" in capsys.readouterr().err
    assert not (tmp_path / "r" / "LOCK").exists()


def test_rows_are_on_the_disk_before_the_checkpoint_that_follows_them(tmp_path, monkeypatch):
    """A power cut takes what was not flushed, and a resume writes no row again that lies before it."""
    flushed: list[str] = []
    real = os.fsync

    def note(descriptor):
        flushed.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        real(descriptor)

    t = trainer(tmp_path, "vae", steps=4)
    t.start()
    monkeypatch.setattr(os, "fsync", note)
    t.run()
    assert "metrics.jsonl" in flushed
    assert flushed.index("metrics.jsonl") < flushed.index("values.json")
