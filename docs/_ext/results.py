"""Renders docs/results/*.json into one file before each build, for experiments.md to include."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from pushforward.experiments.markdown import render_markdown
from pushforward.experiments.table import EXPERIMENTS


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("builder-inited", write_results)
    return {"parallel_read_safe": True}


def write_results(app: Sphinx) -> None:
    """Write `generated/results.txt`: a section for every result there is, in the table's order."""
    docs = Path(app.srcdir)
    results = [docs / "results" / f"{name}.json" for name in EXPERIMENTS]
    sections = [render_markdown(path) for path in results if path.is_file()]
    generated = docs / "generated"
    generated.mkdir(exist_ok=True)
    path, text = generated / "results.txt", "\n".join(sections)
    if not path.exists() or path.read_text() != text:  # an unchanged page is not built again
        path.write_text(text)
