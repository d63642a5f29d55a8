"""A terminal is never a reason to die, and what is written to it is data."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys

import pytest

from pushforward.cli import main
from pushforward.cli.terminal import Lasting, protect
from pushforward.text import code_span, in_markdown, printable, printable_lines

ESCAPES = "cat\x1b[2J\x07"
TRAIN = ["train", "vae", "--data", "digits", "--steps", "3", "--hidden", "8", "--latent-dim", "2"]


class Broken(io.TextIOWrapper):
    """A stream whose reader is gone."""

    def __init__(self, number: int) -> None:
        super().__init__(io.BytesIO())
        self.number = number

    def write(self, text: str) -> int:
        raise OSError(self.number, os.strerror(self.number))

    def fileno(self) -> int:
        raise OSError("none")


@pytest.mark.parametrize("number", [errno.EPIPE, errno.EIO, errno.ENOSPC, errno.EBADF])
def test_a_stream_that_cannot_be_written_goes_silent(number):
    stream = Lasting(Broken(number))
    assert stream.write("some text") == 9
    stream.flush()
    stream.writelines(["a", "b"])
    assert stream.lost.errno == number
    assert not stream.isatty()


def test_a_closed_stream_goes_silent():
    inner = io.StringIO()
    inner.close()
    stream = Lasting(inner)
    stream.write("x")
    stream.flush()
    assert not stream.isatty()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_every_text_can_be_written(encoding, monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    protect()
    sys.stdout.write("日本 ± \udce9")
    sys.stdout.flush()
    assert b"\\udce9" in raw.getvalue()


def test_a_stream_that_was_closed_from_the_start_is_none_no_more(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    protect()
    print("nowhere")
    print("nowhere", file=sys.stderr)


def run(*words: str, shell: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    command = f'"{sys.executable}" -m pushforward "$@" {shell}'
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}", "bash", *words],
        capture_output=True,
        timeout=200,
        env={**os.environ, "OMP_NUM_THREADS": "1", **env},
    )


def test_training_goes_on_when_nobody_reads(tmp_path):
    """All at once: a full disk under stdout, a closed stderr, and a locale that knows ASCII alone."""
    folder = tmp_path / "r[é][/b]"
    env = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = run(*TRAIN, "--run", str(folder), shell="> /dev/full 2>&-", **env)
    assert done.returncode == 0
    assert (folder / "DONE").exists()
    done = run("evaluate", str(folder), "--cheap", "--limit", "50", shell="", **env)
    assert done.returncode == 0, done.stderr
    assert b"r[\\xe9][/b]" in done.stdout.replace(b"\n", b"")
    lost = run("evaluate", str(folder), "--cheap", "--limit", "50", "--json", shell="> /dev/full", **env)
    assert lost.returncode == 1
    assert lost.stderr.startswith(b"error: the output could not be written (No space left")


def test_an_error_is_one_line_without_escapes(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["train", "vae", "--data", ESCAPES])
    assert stop.value.code == 2
    told = capsys.readouterr().err
    assert "\x1b" not in told
    assert told.count("\n") == 1


def test_names_are_shown_and_not_obeyed():
    assert printable(ESCAPES) == "cat\\x1b[2J\\x07"
    assert printable_lines("a\nb\x1b") == "a\nb\\x1b"
    assert in_markdown("<script>a_b*[x](y)") == "&lt;script&gt;a\\_b\\*\\[x\\]\\(y\\)"
    assert code_span("a`b``c") == "```a`b``c```"
    assert code_span("`a") == "`` `a ``"
    assert code_span("plain") == "`plain`"
