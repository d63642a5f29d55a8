"""What the diagnosis of adversarial training left behind has its place on the page."""

from __future__ import annotations

import base64
from types import SimpleNamespace

import pytest

from pushforward.data import toys
from pushforward.observers.history import History
from pushforward.report.adversarial import animations, mode_bars
from pushforward.report.training import panels
from tests.unit.observers.test_health import ring


def facts(folder, data=None):
    return SimpleNamespace(folder=folder, first=data and SimpleNamespace(train=data), data={}, model=None)


def test_the_last_histogram_is_drawn_with_the_modes_names(tmp_path):
    for step, counts in ((5, [8] * 8), (10, [50, 0, 7, 1, 0, 2, 3, 1])):
        History(tmp_path / "diagnosis.jsonl", step).add(modes=counts, due=[8.0] * 8)
    (found,) = mode_bars(facts(tmp_path, ring(50)))
    assert (found.known, found.held, found.k, found.n, found.step) == (True, 6, 8, 64, 10)
    for word in toys.by_angle(toys.ring_modes()):
        assert f">{word}<" in found.svg
    assert not mode_bars(facts(tmp_path))[0].known  # the data are gone: nothing says what the modes were


def test_a_run_that_was_never_looked_at_has_none(tmp_path):
    assert mode_bars(facts(tmp_path)) == []
    assert animations(facts(tmp_path)) == {}


def test_the_landscape_moves_inside_the_page_and_the_grids_of_images_do_not(tmp_path):
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "animation.gif").write_bytes(b"GIF89a")
    assert animations(facts(tmp_path)) == {}
    (tmp_path / "samples" / "frames").mkdir()
    (game, uri), *others = animations(facts(tmp_path)).items()
    assert (game, others) == ("", [])
    assert base64.b64decode(uri.partition("base64,")[2]) == b"GIF89a"


def test_slopes_share_a_panel_and_so_do_the_dead_units_of_all_layers():
    rows = [
        {
            "step": s,
            "metric/slope": 1.0,
            "metric/lipschitz": 2.0 + s,
            "metric/generator_gradient": 10.0**-s,
            "metric/modes": 8.0,
            **{f"metric/dead_units_{i}": 0.1 * i for i in (1, 2, 3)},
        }
        for s in range(5)
    ]
    drawn = {p.title: p for p in panels(rows)}
    assert len(drawn) == 4
    slope = drawn["Slope of the critic, between real and generated data"]
    assert [s.name for s in slope.series] == ["mean", "largest"]
    dead = drawn["Dead units of the generator"]
    assert [(s.name, s.values[-1]) for s in dead.series] == [
        ("layer 1", pytest.approx(0.1)),
        ("layer 2", pytest.approx(0.2)),
        ("layer 3", pytest.approx(0.3)),
    ]
    assert drawn["Modes found"].series[0].values[-1] == 8
    gradient = drawn["Gradient that reaches the generator"]
    assert "mathdefault{10^{-" in gradient.svg  # a fall by four tens is drawn on a logarithmic axis
