"""The docs build: it fails on an undocumented symbol, and docstrings survive their way into it."""

from __future__ import annotations

import importlib
import re
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from docutils.core import publish_string

import pushforward

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(autouse=True)
def _extensions(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Write a package of the given modules and import it."""

    def write(**sources: str):
        folder = tmp_path / "sketch"
        folder.mkdir()
        for name, source in sources.items():
            (folder / f"{name}.py").write_text(textwrap.dedent(source))
        monkeypatch.syspath_prepend(str(tmp_path))
        for name in [n for n in sys.modules if n.split(".")[0] == "sketch"]:
            monkeypatch.delitem(sys.modules, name)
        return importlib.import_module("sketch")

    return write


DOCUMENTED = '''
    """A module."""
    import math
    from collections.abc import Callable
    from dataclasses import dataclass

    def f():
        """A function."""

    def _private(): ...

    @dataclass
    class C:
        """A class whose field holds a function, and with private and magic methods."""

        field: Callable[[int], int] = lambda n: n

        def method(self):
            """A method."""

        def _private(self): ...
'''


def test_a_documented_package_has_no_undocumented_symbol(package):
    from symbols import undocumented

    assert undocumented(package(__init__=DOCUMENTED, part=DOCUMENTED)) == []


def test_every_kind_of_undocumented_symbol_is_found(package):
    from symbols import undocumented

    bare = '''
        from dataclasses import dataclass
        from typing import NamedTuple

        def f(): ...

        @dataclass
        class D:
            x: int

        class T(NamedTuple):
            x: int

        class C:
            """Documented."""

            def method(self): ...
            @property
            def prop(self): ...
            @staticmethod
            def static(): ...
            @classmethod
            def of(cls): ...
    '''
    found = undocumented(package(__init__='"""Documented."""', bare=bare))
    assert found == [
        "sketch.bare",
        "sketch.bare.f",
        "sketch.bare.D",
        "sketch.bare.T",
        "sketch.bare.C.method",
        "sketch.bare.C.prop",
        "sketch.bare.C.static",
        "sketch.bare.C.of",
    ]


def test_an_inherited_docstring_does_not_count(package):
    from symbols import undocumented

    source = '''
        """A module."""

        class A:
            """A class."""

            def method(self):
                """A method."""

        class B(A):
            """Another."""

            def method(self): ...
    '''
    assert undocumented(package(__init__=source)) == ["sketch.B.method"]


def test_the_build_stops_at_an_undocumented_symbol(package, monkeypatch, tmp_path):
    import apipages
    from sphinx.errors import ExtensionError

    package(__init__="def f():\n    return 1\n")
    monkeypatch.setattr(apipages, "PACKAGE", "sketch")
    with pytest.raises(ExtensionError, match=r"sketch, sketch\.f$"):
        apipages.write_pages(type("App", (), {"srcdir": str(tmp_path)}))
    assert not (tmp_path / "generated").exists()


def test_pushforward_is_documented():
    from symbols import public_modules, undocumented

    assert len(public_modules(pushforward)) > 20
    assert undocumented(pushforward) == []


HOSTILE = """D. P. Kingma and M. Welling, *Auto-Encoding Variational Bayes*: eq. 10.

-E_q[ln p(x|z)] and |KL - C| of (n, *batch, *event), `f(x)`s, a stray ` and trailing_.
Deviations:
1. Adam, whose rate
   is 1e-3.
2. No decay.

    code = "as *it* stands"
"""


def test_docstrings_are_plain_text():
    from plain import to_rst

    settings = {"report_level": 1, "halt_level": 1, "input_encoding": "unicode"}  # any complaint raises
    text = publish_string(
        "\n".join(to_rst(HOSTILE.splitlines())), writer="pseudoxml", settings_overrides=settings
    ).decode()
    words = " ".join(text.split())
    assert "D. P. Kingma and M. Welling," in words
    assert "<emphasis> Auto-Encoding Variational Bayes" in words
    assert (
        "-E_q[ln p(x|z)] and |KL - C| of (n, *batch, *event), <literal> f(x) s, a stray ` and trailing_."
        in words
    )
    assert words.count("<list_item>") == 2
    assert 'code = "as *it* stands"' in words


@dataclass
class Base:
    """Options."""

    latent_dim: int = 16
    """Dimensions
    of z."""


@dataclass
class Recipe(Base):
    """More options."""

    sigma: Literal["optimal", "learned"] | float | None = None
    """Noise."""
    hidden: tuple[int, ...] = (512, 256)
    """Widths."""


def test_options_are_read_from_the_dataclass_and_its_bases():
    from options import options_of

    assert [tuple(o) for o in options_of(Recipe)] == [
        ("--latent-dim", "int", "16", "Dimensions of z."),
        ("--sigma", "optimal, learned, float", "–", "Noise."),
        ("--hidden", "ints", "512 256", "Widths."),
    ]


def test_an_option_without_a_text_is_refused():
    from options import options_of

    @dataclass
    class Silent:
        loud: int = 1

    with pytest.raises(ValueError, match=r"Silent\.loud has no text"):
        list(options_of(Silent))


LISTED = """The GAN.

I. Goodfellow et al., *Generative Adversarial Nets*, NeurIPS 2014.

Deviations from the papers:
1. Adam with `beta1` 0.5, whose rate
   is 1e-3, instead of *SGD*.
2. No decay.

After it: none of the list.
"""
STATED = """The GAN.

Deviations from the paper: none in the objective;
networks are `recipes.gan`'s.
"""


def test_deviations_are_read_from_a_docstring():
    from deviations import deviations_of

    assert deviations_of(LISTED) == [
        "Adam with `beta1` 0.5, whose rate is 1e-3, instead of *SGD*.",
        "No decay.",
    ]
    assert deviations_of(STATED) == "none in the objective; networks are `recipes.gan`'s."


def test_deviations_keep_code_and_titles():
    from deviations import paragraph

    parts = paragraph("With `beta1`, not *SGD* or a * b_c.").children
    assert [(part.tagname, part.astext()) for part in parts] == [
        ("#text", "With "),
        ("literal", "beta1"),
        ("#text", ", not "),
        ("emphasis", "SGD"),
        ("#text", " or a * b_c."),
    ]


@pytest.mark.parametrize(
    ("docstring", "message"),
    [
        ("The GAN.", "0 lines 'Deviations from"),
        (LISTED + LISTED, "2 lines 'Deviations from"),
        ("Deviations from the paper:\n\n1. Adam.", "no deviation is listed"),
        ("Deviations from the paper:\n1. Adam.\n3. No decay.", r"'3. No decay.' .* expected '2\. "),
        ("Deviations from the paper:\n1. Adam.\nMore prose.", r"'More prose.' .* expected '2\. "),
    ],
)
def test_a_docstring_without_a_list_of_deviations_is_refused(docstring, message):
    from deviations import deviations_of

    with pytest.raises(ValueError, match=message):
        deviations_of(docstring)


METHOD_PAGES = sorted((DOCS / "algorithms").glob("*.md"))
SECTIONS = ("What is logged", "Deviations from the paper", "Results", "Commands", "Options")


@pytest.mark.parametrize("path", METHOD_PAGES, ids=lambda path: path.stem)
def test_a_method_page_has_its_sections_in_order_and_includes_the_deviations(path):
    from deviations import deviations_of

    text = path.read_text(encoding="utf-8")
    headings = [title.replace("papers", "paper") for title in re.findall(r"^## (.+)$", text, re.MULTILINE)]
    assert [title for title in headings if title in SECTIONS] == list(SECTIONS)
    section = re.search(r"^## Deviations from the papers?\n(.*?)^## ", text, re.MULTILINE | re.DOTALL)[1]
    (name,) = re.findall(r"^```\{deviations\} (\S+)\n```$", section, re.MULTILINE)
    assert deviations_of(importlib.import_module(name).__doc__)
    assert not re.search(r"^\d+\. ", section, re.MULTILINE), (
        "numbered by hand; the docstring is their one place"
    )


def test_there_are_method_pages():
    assert len(METHOD_PAGES) >= 14
