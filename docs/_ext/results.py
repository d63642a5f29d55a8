"""Renders docs/results/*.json before each build: a page each, an index, and a summary for other pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from pushforward.experiments.harness.markdown import render_index, render_markdown, render_summary
from pushforward.experiments.harness.table import EXPERIMENTS


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("builder-inited", write_results)
    return {"parallel_read_safe": True}


def write_results(app: Sphinx) -> None:
    """Write `experiments/NAME.md` of each, `generated/results.txt`, and of each `generated/NAME.txt`."""
    docs = Path(app.srcdir)
    results = {name: docs / "results" / f"{name}.json" for name in EXPERIMENTS}
    kept = {name: path for name, path in results.items() if path.is_file()}
    texts = {f"generated/{name}.txt": render_summary(path) for name, path in kept.items()}
    texts["generated/results.txt"] = render_index(kept, folder="experiments")
    texts |= {
        f"experiments/{name}.md": render_markdown(path, heading=1, results="../results")
        for name, path in kept.items()
    }
    for name, text in texts.items():
        path = docs / name
        path.parent.mkdir(exist_ok=True)
        if not path.exists() or path.read_text() != text:  # an unchanged page is not built again
            path.write_text(text)
