"""The health of adversarial training: silent on an oracle, loud on a collapse, and without a trace."""

from __future__ import annotations

import json
import math

import pytest
import torch

from pushforward.core import Clock, Snapshot
from pushforward.data import Dataset, toys
from pushforward.observers.animation import GridAnimation, LandscapeAnimation
from pushforward.observers.findings import FindingsFile, read_findings
from pushforward.observers.health import AdversarialHealth
from pushforward.observers.history import History
from tests.runs import ADVERSARIAL, assert_same, build, images_for, trainer, weights

RING = toys.ring_modes()


def ring(n=3000):
    points, which = toys.draw(RING, n, seed=0)
    return Dataset.of(
        torch.from_numpy(points), torch.from_numpy(which), classes=toys.by_angle(RING), modes=RING
    )


class Oracle(torch.nn.Module):
    """The ring itself as a map of noise, or only some of its modes. hop: add this to the mode's number."""

    def __init__(self, modes=tuple(range(8))):
        super().__init__()
        self.modes = modes
        self.hop = 0
        self.unused = torch.nn.Parameter(torch.zeros(1))

    def forward(self, z):
        u = 0.5 * (1 + torch.erf(z[:, 0] / math.sqrt(2)))
        place = torch.tensor(self.modes)[(u * len(self.modes)).long().clamp(max=len(self.modes) - 1)]
        centres = torch.as_tensor(RING.centres, dtype=torch.float32)
        return centres[(place + self.hop) % 8] + RING.sigma * z[:, 1:3] + 0 * self.unused


def model(modes=tuple(range(8))):
    algorithm = build("gan", (2,)).eval()
    algorithm.generator = Oracle(modes)
    return algorithm


def looks(algorithm, folder, *, n=20, data=None, cures=None, each=lambda i: None):
    """So many observations of a run that does not move."""
    folder.mkdir(exist_ok=True)
    observer = AdversarialHealth({"data": data or ring()}, every=1, batch_size=50, cures=cures)
    seen = []
    for i in range(1, n + 1):
        each(i)
        seen.append(observer.observe(Snapshot(algorithm, Clock(i, n), folder, torch.device("cpu"))))
    return seen


def test_an_oracle_is_never_told_anything(tmp_path):
    seen = looks(model(), tmp_path)
    assert [list(o.findings) for o in seen] == [[]] * 20
    last = seen[-1].metrics
    assert last["modes"] == 8
    assert last["high_quality"] == pytest.approx(0.989, abs=0.01)
    assert last["spread"] == pytest.approx(1, abs=0.03)
    assert last["critic_accuracy"] == pytest.approx(0.5, abs=0.06)


def test_half_of_the_ring_is_partial_and_the_missing_are_named(tmp_path):
    seen = looks(model((0, 1, 2, 3)), tmp_path, n=8, cures={"mode-collapse": "pushforward train r3gan"})
    assert [list(o.findings) for o in seen[:1]] == [[]]  # before a quarter of the run
    (finding,) = seen[-1].findings
    assert (finding.name, finding.command) == ("mode-collapse-partial", "pushforward train r3gan")
    assert "180°, 225°, 270°, 315°" in finding.evidence


def test_one_mode_is_complete_and_one_that_hops_oscillates(tmp_path):
    (finding,) = looks(model((5,)), tmp_path / "a", n=8)[-1].findings
    assert finding.name == "mode-collapse-complete"
    hopping = model((0,))

    def hop(i):
        hopping.generator.hop = 3 * i

    seen = looks(hopping, tmp_path / "b", n=8, each=hop)
    assert {f.name for f in seen[-1].findings} == {"mode-collapse-complete", "mode-oscillation"}


def test_dead_units_are_found_and_a_cure_is_a_whole_command(tmp_path):
    algorithm = build("gan", (2,)).eval()
    algorithm.generator[0].bias.data.fill_(-100)
    seen = looks(algorithm, tmp_path, n=4, cures={"dead-units": "--slope 0.2"})[-1]
    assert seen.metrics["dead_units_1"] == 1
    file = FindingsFile(tmp_path / "findings.json", rerun="pushforward train --config c.yaml")
    file.update(AdversarialHealth({"data": ring(60)}, every=1, batch_size=4), tuple(seen.findings))
    found = {f.name: f for f in read_findings(tmp_path / "findings.json")}
    assert found["dead-units"].command == "pushforward train --config c.yaml --slope 0.2"


def test_images_without_modes_are_judged_by_cells(tmp_path):
    algorithm = build("gan").eval()
    algorithm.generator[-3].weight.data.zero_()  # whatever the noise, one image
    data = images_for("gan")
    (observation,) = looks(algorithm, tmp_path, n=1, data=data)
    assert observation.metrics["spread"] == 0
    assert observation.metrics["near_duplicates"] == 1
    assert "modes" not in observation.metrics
    assert {f.name for f in observation.findings} == {"mode-collapse-complete"}


def test_rows_that_a_resume_has_undone_are_dropped(tmp_path):
    path = tmp_path / "diagnosis.jsonl"
    for step in (2, 4, 6):
        History(path, step).add(modes=[step])
    with path.open("a") as file:
        file.write('{"step": 8, "mod')  # a kill while writing
    again = History(path, 4)
    assert again.column("modes") == [[2]]
    again.add(modes=[40], slope=None)
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [2, 4]
    assert History(path, 6).column("modes") == [[2], [40]]
    assert again.column("slope") == []


@pytest.mark.parametrize("method", ADVERSARIAL)
def test_looking_leaves_no_trace(method, tmp_path):
    """Neither in weights and buffers, spectral norms and BatchNorm's included, nor in random streams."""

    def finished(name, observers):
        run = trainer(tmp_path / name, method, steps=6, observers=observers)
        run.start()
        run.run()
        return run

    data = images_for(method)
    watching = [AdversarialHealth({"data": data}, every=2, batch_size=6), GridAnimation()]
    alone, watched = finished("alone", []), finished("watched", watching)
    assert_same(weights(alone.algorithm), weights(watched.algorithm))
    assert_same(alone._tensors()["random"], watched._tensors()["random"])
    assert alone._tensors().keys() == watched._tensors().keys()
    for name, tensors in alone._tensors().items():
        assert_same(tensors, watched._tensors()[name])
    rows = [json.loads(line) for line in (tmp_path / "watched" / "metrics.jsonl").read_text().splitlines()]
    seen = [row for row in rows if "metric/critic_accuracy" in row]
    assert [row["step"] for row in seen] == [2, 4, 6]
    assert all(row["metric/generator_gradient"] > 0 for row in seen)
    pairs = alone.algorithm.games()["game"].infer is not None
    assert ("metric/slope" in seen[0]) != pairs


@pytest.mark.parametrize("method", ["gan", "gan, views", "veegan"])
def test_a_resumed_run_of_points_has_the_same_history_and_frames(method, tmp_path):
    data = ring(200)

    def made(name):
        observers = [
            AdversarialHealth({"data": data}, every=2, batch_size=6),
            LandscapeAnimation({"data": data}, every=2),
        ]
        return trainer(
            tmp_path / name, lambda: build(method, (2,)), steps=8, images=data, observers=observers
        )

    def files(name):
        folder = tmp_path / name
        shown = [*(folder / "samples").rglob("*.png"), folder / "samples" / "animation.gif"]
        return {p.name: p.read_bytes() for p in [*shown, folder / "diagnosis.jsonl"]}

    whole = made("whole")
    whole.start()
    whole.run()
    cut = made("cut")
    cut.start()
    cut._observe()
    for _ in range(7):  # past the checkpoint of step 4, and killed at 7
        cut.one_step()
        cut._observe()
        if cut.clock.step == 4:
            cut.save()
    again = made("cut")
    again.resume()
    again.run()
    assert_same(weights(whole.algorithm), weights(again.algorithm))
    assert files("cut") == files("whole")
    assert len(files("whole")) == 5 + 2
