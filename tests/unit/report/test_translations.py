"""Translations on the page: both directions, and the best and the worst by what comes back."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

import pushforward
from pushforward.core import to_float
from pushforward.metrics.pixels import mean_squared_error
from pushforward.report import translations, write_report
from pushforward.report.facts import read_facts
from tests.two_streams import registered
from tests.unit.report.test_page import Reader


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A toy between grey and colour images, of which each stream holds 20 out."""
    root = tmp_path_factory.mktemp("two")
    generator = np.random.default_rng(0)
    for name, shape in (("trainA", (8, 8)), ("trainB", (8, 8, 3)), ("testA", (8, 8)), ("testB", (8, 8, 3))):
        (root / "data" / name).mkdir(parents=True)
        for i in range(20):
            Image.fromarray(generator.integers(0, 256, shape, np.uint8)).save(
                root / "data" / name / f"{i}.png"
            )
    with registered():
        yield pushforward.train("toy", data=str(root / "data"), run=str(root / "run"), steps=5, batch_size=5)


def test_each_direction_has_its_best_and_its_worst_of_what_comes_back(run):
    facts = read_facts(run)
    ways = translations.take(facts)
    assert [(way.source, way.to, way.n) for way in ways] == [("a", "b", 20), ("b", "a", 20)]
    for way in ways:
        held_out = facts.data[way.source].held_out
        x = to_float(held_out.x)
        back = facts.model.translate(facts.model.translate(x, to=way.to), to=way.source)
        errors = dict(zip(held_out.names, mean_squared_error(x, back).tolist(), strict=True))
        ordered = sorted(errors, key=lambda name: errors[name])
        assert [c.name for c in way.best] == ordered[:3]
        assert [c.name for c in way.worst] == ordered[-3:]
        assert len({c.name for c in way.by_chance}) == 6
        for cycle in (*way.by_chance, *way.best, *way.worst):
            assert cycle.error == pytest.approx(errors[cycle.name])


def test_the_pictures_are_the_image_its_translation_and_what_comes_back(run):
    facts = read_facts(run)
    model = facts.model
    cycle = translations.take(facts)[0].worst[-1]
    held_out = facts.data["a"].held_out
    x = to_float(held_out.x[[held_out.names.index(cycle.name)]])
    there = model.translate(x, to="b")
    for uri, image in ((cycle.x, x), (cycle.there, there), (cycle.back, model.translate(there, to="a"))):
        shown = (
            Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB").resize((8, 8), 0)
        )
        expected = ((image[0] + 1) * 127.5).clamp(0, 255).expand(3, 8, 8).permute(1, 2, 0).numpy()
        assert np.abs(np.asarray(shown, float) - expected).max() <= 1


def test_the_page_shows_them_instead_of_reconstructions(run, tmp_path):
    page = write_report(run, tmp_path / "page.html").read_text()
    words = Reader(page).words
    assert "From a to b" in words
    assert "From b to a" in words
    assert "Of 20 held-out images of b the 3 that come back best, and the 3 that come back worst." in words
    assert len(re.findall('alt="What comes back"', page)) == 2 * 12
    assert 'id="reconstructions"' not in page


def test_a_method_without_domains_has_none(finished_run, tmp_path):
    assert translations.take(read_facts(finished_run)) == []
    page = write_report(finished_run, tmp_path / "page.html").read_text()
    assert 'id="translations"' not in page
    assert 'id="reconstructions"' in page


def test_a_model_of_one_direction_shows_no_way_back(run, tmp_path, monkeypatch):
    facts = read_facts(run)
    monkeypatch.setattr(type(facts.model.algorithm), "into", ("b",))
    (way,) = translations.take(facts)
    assert (way.source, way.to, way.best, way.worst) == ("a", "b", [], [])
    assert len(way.by_chance) == 6
    page = write_report(run, tmp_path / "page.html").read_text()
    assert "From a to b" in Reader(page).words
    assert "comes back" not in page.partition('id="translations"')[2].partition("</section>")[0]


def test_translations_stand_before_findings_and_curves(run, tmp_path):
    page = write_report(run, tmp_path / "page.html").read_text()
    assert 0 < page.index('id="translations"') < page.index('id="training"')
