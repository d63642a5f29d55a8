"""What every finding says: short, of no method by name, with parameters in backticks."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import pushforward.diagnostics
from pushforward.diagnostics.cures import adversarial_cures, collapse_cure
from pushforward.methods import METHODS
from tests.unit.diagnostics.test_cures import config


def findings() -> list[tuple[str, dict[str, ast.expr]]]:
    """Each `Finding(...)` of the package: the module, and the expressions of its arguments."""
    found = []
    for path in sorted(Path(pushforward.diagnostics.__path__[0]).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding":
                found.append((path.stem, {k.arg: k.value for k in node.keywords if k.arg}))
    return found


def sentences(expression: ast.expr) -> list[str]:
    """What an expression may say; a value in braces is one word."""
    if isinstance(expression, ast.IfExp):
        return sentences(expression.body) + sentences(expression.orelse)
    if isinstance(expression, ast.JoinedStr):
        parts = (v.value if isinstance(v, ast.Constant) else "X" for v in expression.values)
        return ["".join(map(str, parts))]
    assert isinstance(expression, ast.Constant), ast.dump(expression)
    return [str(expression.value)]


@pytest.mark.parametrize(("module", "said"), findings(), ids=[module for module, _ in findings()])
def test_a_finding_is_short_and_names_no_method(module, said):
    for headline in sentences(said["headline"]):
        assert 3 <= len(headline.split()) <= 10, headline
    for advice in sentences(said["advice"]):
        words = advice.replace("(", " ").replace(")", " ").replace(",", " ").split()
        assert not {*words} & {*METHODS}, advice
        assert "--" not in advice
        assert advice.count("`") % 2 == 0


@pytest.mark.parametrize("method", METHODS)
def test_no_cure_is_the_same_again(method):
    run = config(method)
    for command in (*adversarial_cures(run).values(), collapse_cure(run)):
        assert not command.startswith(f"pushforward train {method} ") or command.startswith("--"), command
