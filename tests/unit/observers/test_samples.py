"""Pictures of samples: one a look, and the latest under a name that stays."""

from __future__ import annotations

from pushforward.observers.samples import SamplePictures
from tests.runs import trainer


def test_the_latest_picture_has_a_name_that_stays(tmp_path):
    t = trainer(tmp_path, "gan", steps=4, observers=[SamplePictures(every=2, n=4)])
    t.start()
    t.run()
    names = sorted(p.name for p in (tmp_path / "samples").iterdir())
    assert names == ["latest.png", "step-0000000.png", "step-0000002.png", "step-0000004.png"]
    latest, last = (tmp_path / "samples" / name for name in ("latest.png", "step-0000004.png"))
    assert latest.read_bytes() == last.read_bytes()
