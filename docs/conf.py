"""Sphinx settings. The build reaches for nothing on the network, and neither does a built page."""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import pushforward

project = "pushforward"
author = "The pushforward authors"
copyright = f"2026, {author}"
release = version = pushforward.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "apipages", "deviations", "options", "results"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build", "_ext"]
suppress_warnings = ["ref.python"]  # one name in two modules (Estimate, run): links to neither are wanted

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
python_maximum_signature_line_length = 90

highlight_language = "none"  # what is Python says so

smartquotes = False  # "--data" is an option, and no dash
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_title = f"pushforward {release}"
html_show_sphinx = False
