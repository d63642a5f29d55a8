"""Renders docs/results/*.json before each build: all for experiments.md, and each for other pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from pushforward.experiments.harness.markdown import render_markdown, render_summary
from pushforward.experiments.harness.table import EXPERIMENTS


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("builder-inited", write_results)
    return {"parallel_read_safe": True}


def write_results(app: Sphinx) -> None:
    """Write `generated/results.txt`, all of them, and of each a summary, `generated/NAME.txt`."""
    docs = Path(app.srcdir)
    results = {name: docs / "results" / f"{name}.json" for name in EXPERIMENTS}
    kept = {name: path for name, path in results.items() if path.is_file()}
    generated = docs / "generated"
    generated.mkdir(exist_ok=True)
    texts = {f"{name}.txt": render_summary(path) for name, path in kept.items()}
    texts["results.txt"] = "\n".join(render_markdown(path) for path in kept.values())
    for name, text in texts.items():
        path = generated / name
        if not path.exists() or path.read_text() != text:  # an unchanged page is not built again
            path.write_text(text)
