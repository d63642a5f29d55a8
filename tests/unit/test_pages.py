"""The commands and the Python that the pages show are those that the package has."""

from __future__ import annotations

import contextlib
import re
import shlex
from pathlib import Path

import pytest
import torch

from pushforward.cli import COMMANDS, main
from pushforward.methods import METHODS

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs/algorithms").glob("*.md")),
]
BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
OF_COMMANDS = ("", "console", "bash", "sh")


def shown_commands() -> list[str]:
    """Every `pushforward ...` line of a code block, without its comment; placeholders are left out."""
    lines = [
        line
        for page in PAGES
        for kind, block in BLOCK.findall(page.read_text())  # all kinds, or a fence would open what it closes
        if kind in OF_COMMANDS
        for line in block.splitlines()
    ]
    commands = {line.removeprefix("$ ").split("  #")[0].strip() for line in lines}
    return sorted(
        c for c in commands if re.match(r"pushforward [a-z]", c) and not re.search(r"[A-Z]{2,}|[|\\]", c)
    )


@pytest.mark.parametrize("command", shown_commands())
def test_shown_commands_are_accepted(command, capsys):
    words = shlex.split(command.split(" > ")[0])[1:]
    assert words[0] in COMMANDS
    if words[0] == "train" and words[1] in METHODS:
        main([*words, "--print-config"])
        assert f"method: {words[1]}" in capsys.readouterr().out
        return
    depth = 2 if words[0] in ("data", "experiment") and words[1] != "list" else 1
    with contextlib.suppress(SystemExit):
        main([*words[:depth], "--help"])
    help_text = capsys.readouterr().out
    assert help_text.startswith("usage: pushforward")
    for option in (w for w in words if w.startswith("--") and words[0] != "train"):
        assert re.search(rf"{option}\b", help_text), option


def test_there_are_commands_to_look_at():
    assert len(shown_commands()) > 15


def test_the_readme_python_works(tmp_path, monkeypatch):
    block = re.search(
        r"^```python\n(import pushforward\n.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S
    )[1]
    monkeypatch.chdir(tmp_path)
    scope: dict = {}
    exec(block.replace("steps=500", "steps=3").replace("log_prob(images)", "log_prob(images, k=3)"), scope)
    assert scope["images"].shape == (16, 1, 28, 28)
    assert scope["nats"].shape == (16,)
    assert (tmp_path / scope["folder"] / "model.safetensors").is_file()


def test_by_hand_is_run_as_it_stands():
    """Your own networks and tensors: the page's blocks, one after another."""
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs/by-hand.md").read_text(), re.M | re.S)
    assert len(blocks) == 4
    scope: dict = {}
    for block in blocks:
        exec(compile(block, "docs/by-hand.md", "exec"), scope)
    assert scope["samples"].shape == (1000, 2)
    assert scope["report"].keys() >= {"loss/vae"}
    correlation = torch.corrcoef(scope["samples"].T)[0, 1]
    assert correlation > 0.8  # as of the points
    assert len(scope["losses"]) == 2
