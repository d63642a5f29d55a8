"""What every algorithm of the package must keep, now and later: one test over all of them."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from pushforward.core import Algorithm, Clock, Observation, Observer, Player, Update
from pushforward.data import Stream
from pushforward.training.checkpoint import split_state
from pushforward.training.optim import build_optimizers
from pushforward.training.steps import Stepper
from tests.runs import METHOD_NAMES, assert_same, build, sources_for, trainer, weights


def stepper_of(algorithm: Algorithm) -> Stepper:
    players = algorithm.players()
    return Stepper(algorithm, players, build_optimizers(players))


class Duel(Algorithm):
    """Two players, one loss graph, moved at once; and a bystander that has a gradient but may not move."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.bystander = nn.Linear(3, 1), nn.Linear(3, 1), nn.Linear(3, 3)

    def players(self):
        return {"a": Player(module=self.a), "b": Player(module=self.b), "c": Player(module=self.bystander)}

    def step(self, draw):
        h = self.bystander(torch.ones(2, 3))
        a, b = self.a(h).sum(), self.b(h).sum()
        yield Update({"a": a * b, "b": -(a * b) + a**2})


ALGORITHMS = [*METHOD_NAMES, Duel]


def make(kind) -> Algorithm:
    torch.manual_seed(0)
    return build(kind) if isinstance(kind, str) else kind()


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_only_the_declared_players_move(kind):
    algorithm = make(kind)
    stepper = stepper_of(algorithm)
    draw = Stream(sources_for(kind), batch_size=6, seed=0)
    moved = set()
    generator = algorithm.step(draw)
    info = None
    while True:
        try:
            update = next(generator) if info is None else generator.send(info)
        except StopIteration:
            break
        before = {n: [p.clone() for p in pl.parameters()] for n, pl in stepper.players.items()}
        stepper.descend(update)
        for name, player in stepper.players.items():
            same = all(torch.equal(p, q) for p, q in zip(player.parameters(), before[name], strict=True))
            assert same != (name in update.losses), name
        moved |= set(update.losses)
        info = update.answer()
    assert moved


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_simultaneous_updates_have_independent_gradients(kind):
    algorithm = make(kind)
    stepper = stepper_of(algorithm)
    update = next(algorithm.step(Stream(sources_for(kind), batch_size=6, seed=0)))
    expected = {
        name: torch.autograd.grad(
            loss, stepper.players[name].parameters(), retain_graph=True, allow_unused=True
        )
        for name, loss in update.losses.items()
    }
    stepper.gradients(update)
    for name, grads in expected.items():
        for p, grad in zip(stepper.players[name].parameters(), grads, strict=True):
            assert (p.grad is None) == (grad is None)
            assert grad is None or torch.equal(p.grad, grad)


@pytest.mark.parametrize("kind", METHOD_NAMES)
def test_players_are_disjoint_and_hold_every_parameter(kind):
    algorithm = make(kind)
    owned = [id(p) for player in algorithm.players().values() for p in player.parameters()]
    assert len(owned) == len(set(owned))
    assert set(owned) == {id(p) for p in algorithm.parameters() if p.requires_grad}


@pytest.mark.parametrize("kind", METHOD_NAMES)
def test_state_is_tensors_and_json(kind):
    _, extra = split_state(make(kind).state_dict())
    assert json.loads(json.dumps(extra)) == extra


class Nosy(Observer):
    """Draws from every random stream, and looks at the model in its own way."""

    def due(self, clock: Clock) -> bool:
        return True

    def observe(self, snapshot):
        import random

        import numpy as np

        random.random()
        np.random.rand(3)  # noqa: NPY002 - the global stream is the point
        torch.randn(7)
        assert not snapshot.algorithm.training
        if hasattr(snapshot.algorithm, "sample"):
            snapshot.algorithm.sample(3)
        return Observation(metrics={"seen": 1.0})


@pytest.mark.parametrize("kind", METHOD_NAMES)
def test_observers_leave_weights_and_random_streams_alone(kind, tmp_path):
    def finished(name, observers):
        t = trainer(tmp_path / name, kind, observers=observers)
        t.start()
        t.run()
        return t

    alone, watched = finished("a", []), finished("b", [Nosy()])
    assert_same(weights(alone.algorithm), weights(watched.algorithm))
    assert '"metric/seen": 1.0' in (tmp_path / "b" / "metrics.jsonl").read_text()


@pytest.mark.parametrize("kind", METHOD_NAMES)
def test_a_resumed_run_is_bit_identical(kind, tmp_path):
    whole = trainer(tmp_path / "whole", kind, steps=12)
    whole.start()
    whole.run()

    cut = trainer(tmp_path / "cut", kind, steps=12)
    cut.start()
    for _ in range(9):  # past the checkpoint of step 4 and 8 by hand, then "killed" at 9
        cut.one_step()
        if cut.clock.step % 4 == 0:
            cut.save()
    torch.randn(100)  # whatever the dead process did to the random state

    again = trainer(tmp_path / "cut", kind, steps=12)
    again.resume()
    assert again.clock.step == 8
    again.run()
    assert_same(weights(whole.algorithm), weights(again.algorithm))
    assert_same(whole._tensors()["random"], again._tensors()["random"])


def test_the_nosy_observer_would_be_noticed(tmp_path):
    """The guard is the loop's: without it, the same observer changes the run."""
    a = trainer(tmp_path / "a")
    a.one_step()
    b = trainer(tmp_path / "b")
    torch.randn(7)
    b.one_step()
    with pytest.raises(AssertionError):
        assert_same(weights(a.algorithm), weights(b.algorithm))
