"""A mistake is answered with the option that was meant, and help names no type of a parser."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pushforward.cli import main
from pushforward.cli.mistakes import without_none


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--steps", "abc"], "--steps: 'abc'; expected a whole number, such as 1000"),
        (["--steps", "2e3"], "--steps: '2e3'; expected a whole number, such as 2000"),
        (["--lr", "fast"], "--lr: 'fast'; expected a number"),
        (["--minutes", "x"], "--minutes: 'x'; expected a number"),
        (["--sigma", "big"], "--sigma: 'big'; expected one of optimal, learned or a number"),
        (["--precision", "fp8"], "--precision: 'fp8'; expected one of"),
        (["--hidden", "a"], "--hidden: a; expected"),
        (["--epochs", "3"], "here it is --steps N"),
        (["--learning-rate", "1"], "here it is --lr"),
        (["--learning_rate=1"], "here it is --lr"),
        (["--gpu", "0"], "here it is --device cuda"),
        (["--cuda"], "here it is --device cuda"),
        (["--output", "x"], "here it is --run"),
        (["--num-workers", "3"], "not needed"),
        (["--resolution", "3"], "here it is --image-size"),
        (["digits"], "data are given by --data digits"),
    ],
)
def test_what_was_meant_is_named_in_one_line(words, told, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["train", "vae", *words])
    assert stop.value.code == 2
    line = capsys.readouterr().err
    assert told in line
    assert line.count("\n") == 1
    assert not any(word in line for word in ("None", "NoneType", "INT", "class", "──", "---- "))


def test_help_names_no_none_and_keeps_its_boxes(capsys):
    for command in (["train", "vae"], ["sample"], ["evaluate"], ["experiment", "mode-collapse"], ["report"]):
        with pytest.raises(SystemExit):
            main([*command, "--help"])
        text = capsys.readouterr().out
        assert "None" not in text
        boxed = [line for line in text.splitlines() if line.startswith(("│", "╭", "╰"))]
        assert len({len(line) for line in boxed}) <= 1


def test_a_default_that_is_broken_over_two_lines_goes_too():
    box = "│ --x INT   Words that end here. (default:   │\n│           None)                            │\n"
    assert without_none(box) == "│ --x INT   Words that end here.             │\n"


@pytest.mark.parametrize(("words", "status"), [(["sample", "nowhere"], 2), (["--version"], 0)])
def test_one_of_several_processes_leaves_by_its_own_status(words, status):
    """Whatever threads of a process group do as the interpreter goes down."""
    code = f"import atexit, os; atexit.register(os.abort); from pushforward.cli import main; main({words})"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "WORLD_SIZE": "2"}
    )
    assert result.returncode == status, result.stderr
    assert (result.stderr or result.stdout).strip()
