"""A page section that shows misses as misses."""

from __future__ import annotations

import json

import pytest
from markdown_it import MarkdownIt

from pushforward.experiments.harness.document import document
from pushforward.experiments.harness.execute import execute
from pushforward.experiments.harness.markdown import overall, render_index, render_markdown, render_summary
from tests.unit.experiments import toy


@pytest.fixture
def result(monkeypatch):
    monkeypatch.setenv("TOY_BOUND", "11")
    return json.loads(
        json.dumps(document(execute(toy.MODULE, seeds=2, workers=1), commit="0123456789abcdef+"))
    )


def test_a_section_has_claim_checks_rows_plot_and_provenance(result):
    page = render_markdown(result)
    assert page.startswith("## A coin has two sides\n\nTails are worth as much as heads.\n\n### Checks\n")
    assert "| heads score enough | 10.5 (asked: ≥ 11) | **FAILS** |" in page
    assert "| tails reach the paper's score | 10.5 (asked: ≥ 99) | **missed** |" in page
    assert "| coin | tails | score | 10.5 ± 0.71 (n = 2) | points | 99 | Table 3 |" in page
    assert "± is the standard deviation over n seeds." in page
    assert "![A coin has two sides](results/toy.svg)" in page
    assert "`pushforward experiment toy --budget quick --seeds 2` (4 runs" in page
    assert "commit 0123456789ab with uncommitted changes" in page


def test_a_summary_has_the_picture_the_checks_and_the_provenance_alone(result):
    summary = render_summary(result)
    assert summary.startswith(
        "[![A coin has two sides](results/toy.svg)](results/toy.svg)\n\n| claim | value | |"
    )
    assert "**FAILS**" in summary
    assert "#" not in summary
    assert "| coin |" not in summary
    assert "commit 0123456789ab with uncommitted changes" in summary
    assert render_summary({**result, "plot": None}).startswith("| claim |")


def test_its_tables_are_tables(result):
    result["checks"][0]["claim"] = "|Δ| is small\nor so"
    html = MarkdownIt("commonmark").enable("table").render(render_markdown(result))
    assert html.count("<table>") == 2
    assert "<td>|Δ| is small or so</td>" in html


def test_without_papers_numbers_spreads_plot_or_checks_it_names_none(result):
    for row in result["rows"]:
        row.update(paper=None, source=None, spread=None, n=1)
    page = render_markdown({**result, "plot": None, "checks": [], "commit": None}, heading=3)
    assert page.startswith("### A coin")
    assert "paper" not in page.split("#### Figures")[1].split("Source:")[0]
    assert "±" not in page
    assert "![" not in page
    assert "commit unknown" in page


def test_it_reads_a_path_or_the_text(result, tmp_path):
    path = tmp_path / "toy.json"
    path.write_text(json.dumps(result))
    assert render_markdown(path) == render_markdown(str(path)) == render_markdown(path.read_text())
    assert render_markdown(path) == render_markdown(result)


def test_the_index_says_claim_verdict_and_minutes(result):
    line = render_index({"toy": result}, folder="experiments").splitlines()[2]
    assert line == "| [`toy`](experiments/toy.md) | A coin has two sides | **FAILS** | 1 | quick |"


@pytest.mark.parametrize(
    ("checks", "word"),
    [
        ([], "–"),
        ([(True, True), (True, False)], "holds"),
        ([(True, True), (False, False)], "1 of 2 missed"),
        ([(False, True), (False, False)], "**FAILS**"),
    ],
)
def test_the_verdict_is_the_worst(checks, word):
    assert overall([{"holds": holds, "required": required} for holds, required in checks]) == word
