"""State beside the weights: what processes share, what each has for itself, what is for training alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pushforward.core import Algorithm, Player, Update
from pushforward.errors import UserError
from pushforward.files import read_metrics
from pushforward.models import store
from pushforward.training.checkpoint import newest_checkpoint, read_checkpoint
from pushforward.training.distributed import World
from tests.runs import assert_same, trainer, weights
from tests.toys import PIXELS, Centred, Pooled

ONE = torch.ones(())


class Imagined(World):
    """One of several processes, the others of which are imagined."""

    def barrier(self) -> None:
        """Nobody to wait for."""

    def agree_(self, tensors: Any) -> None:
        """Nobody to agree with."""

    def gather(self, value: Any) -> list[Any]:
        """The others hold this one's state plus their rank."""
        tensors, extra = value
        return [({k: v + rank for k, v in tensors.items()}, extra) for rank in range(self.size)]


class Recording(World):
    """Two processes, of which the other's values are all zero; it notes what was sent."""

    def __init__(self) -> None:
        super().__init__(rank=0, size=2)
        object.__setattr__(self, "sent", [])

    def mean_(self, tensor: Tensor) -> None:
        """Half of it."""
        self.sent.append((tensor.dtype, tensor.numel()))
        tensor /= 2


# -- share ------------------------------------------------------------------------------------------


def test_what_is_shared_comes_back_beside_info_and_is_not_logged(tmp_path):
    t = trainer(tmp_path, Centred, steps=4)
    t.start()
    before = t.algorithm.mean.clone()
    t.run()
    assert not torch.equal(before, t.algorithm.mean)
    rows = read_metrics(tmp_path / "metrics.jsonl")
    assert {k for row in rows for k in row} == {"step", "loss/net", "info/loss", "seconds", "images"}


def test_the_moving_average_is_that_of_the_batches(tmp_path):
    t = trainer(tmp_path, Centred, steps=4)
    again = trainer(tmp_path / "data", Centred).draw
    expected = torch.zeros(PIXELS)
    t.run()
    for _ in range(4):
        expected = 0.9 * expected + 0.1 * again().x.flatten(1).mean(0)
    assert torch.allclose(t.algorithm.mean, expected, atol=1e-6)


def test_what_comes_back_is_detached():
    x = torch.ones(3, requires_grad=True)
    update = Update({}, {"a": x.sum()}, share={"b": 2 * x})
    for answer in (update.answer(), *World().mean_reports(update.info, update.share)):
        assert answer
        assert not any(v.requires_grad for v in answer.values())
    assert update.answer().keys() == {"a", "b"}


def test_several_processes_get_the_mean_by_one_message_a_dtype():
    share = {
        "matrix": torch.full((2, 3), 4.0),
        "exact": torch.full((5,), 1e-12, dtype=torch.float64),
        "half": torch.full((7,), 6.0, dtype=torch.bfloat16),
    }
    world = Recording()
    info, shared = world.mean_reports({"loss/a": 2 * ONE, "info/b": 3 * ONE.double()}, share)
    assert {k: float(v) for k, v in info.items()} == {"loss/a": 1.0, "info/b": 1.5}
    assert torch.equal(shared["matrix"], torch.full((2, 3), 2.0))
    assert torch.equal(shared["exact"], torch.full((5,), 5e-13, dtype=torch.float64))
    assert torch.equal(shared["half"], torch.full((7,), 3.0, dtype=torch.bfloat16))
    assert sorted(world.sent, key=str) == [(torch.float32, 2 + 6 + 7), (torch.float64, 5)]
    assert float(share["matrix"].mean()) == 4.0  # what was given is left alone


def test_a_single_statistic_is_copied_before_it_is_averaged():
    buffer = torch.full((3,), 4.0)
    _, shared = Recording().mean_reports({}, {"mean": buffer})
    assert torch.equal(shared["mean"], torch.full((3,), 2.0))
    assert torch.equal(buffer, torch.full((3,), 4.0))


def test_an_empty_share_sends_what_was_sent_before():
    world = Recording()
    world.mean_reports({"loss/a": ONE}, {})
    world.mean_reports({}, {})
    assert world.sent == [(torch.float32, 1)]


def test_a_name_in_both_is_refused():
    with pytest.raises(ValueError, match=r"`share`: 'kl' is in `info` too; expected another name"):
        Update({}, {"kl": ONE}, share={"kl": ONE})


@pytest.mark.parametrize("value", [torch.ones(3, dtype=torch.int64), torch.tensor([True])])
def test_integers_are_refused(value):
    with pytest.raises(ValueError, match=r"'counts' is torch\.\w+; expected a floating tensor.*\.float\(\)"):
        Update({}, share={"counts": value})


# -- local ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Centred, Pooled])
def test_a_resumed_run_is_bit_identical(kind, tmp_path):
    whole = trainer(tmp_path / "whole", kind)
    whole.start()
    whole.run()
    cut = trainer(tmp_path / "cut", kind)
    cut.start()
    for _ in range(6):
        cut.one_step()
        if cut.clock.step == 4:
            cut.save()
    again = trainer(tmp_path / "cut", kind)
    again.resume()
    again.run()
    assert_same(weights(whole.algorithm), weights(again.algorithm))
    assert_same(dict(whole.averages.state()), dict(again.averages.state()))


class Nested(Algorithm):
    """An algorithm inside another."""

    local = ("net.bias", "absent")

    def __init__(self) -> None:
        super().__init__()
        self.net, self.part = nn.Linear(2, 2), Pooled()

    def players(self):
        return {"net": Player(module=self.net)}

    def step(self, draw):
        yield Update({"net": self.net.weight.sum()})


def test_declarations_name_buffers_and_modules_whole():
    pooled = Pooled()
    assert pooled.declared("local") == {"pool"}  # and not `pooling`
    assert pooled.declared("training_only") == {"pool", "seen"}
    assert Centred().declared("local") == frozenset()
    assert Nested().declared("local") == {"net.bias", "part.pool"}
    assert Nested().declared("training_only") == {"part.pool", "part.seen"}


def test_each_process_has_its_own_local_state_in_a_checkpoint(tmp_path):
    t = trainer(tmp_path, Pooled, world=Imagined(0, 3))
    t.algorithm.pool.fill_(5.0)
    t.start()
    folder, checkpoint = newest_checkpoint(tmp_path / "checkpoints")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert {"local-1.safetensors", "local-2.safetensors"} <= manifest.keys()
    assert checkpoint.values["processes"] == 3
    for rank in range(3):
        other = trainer(tmp_path, Pooled, world=Imagined(rank, 3))
        other.restore(checkpoint)
        assert torch.equal(other.algorithm.pool, torch.full((5, PIXELS), 5.0 + rank))
        assert torch.equal(other.algorithm.net.weight, t.algorithm.net.weight)


def test_another_number_of_processes_is_refused_where_state_is_local(tmp_path):
    several, one = tmp_path / "several", tmp_path / "one"
    trainer(several, Pooled, world=Imagined(0, 3)).start()
    trainer(one, Pooled).start()
    with pytest.raises(UserError, match=r"of 3 processes.*run of 1.*\(pool\).*--nproc-per-node 3"):
        trainer(several, Pooled).resume()
    with pytest.raises(UserError, match=r"of 1 process, and this is a run of 2.*with no torchrun"):
        trainer(one, Pooled, world=Imagined(0, 2)).resume()
    trainer(several, Pooled, world=Imagined(0, 3)).resume()


def test_without_local_state_any_number_may_go_on(tmp_path):
    trainer(tmp_path, Centred, world=Imagined(0, 3)).start()
    assert not list((tmp_path / "checkpoints" / "step-0000000").glob("local-*"))
    trainer(tmp_path, Centred).resume()


def test_a_checkpoint_that_does_not_say_how_many_wrote_it_is_of_one(tmp_path):
    t = trainer(tmp_path, Pooled)
    t.start()
    folder = tmp_path / "checkpoints" / "step-0000000"
    values = dict(read_checkpoint(folder).values)
    assert values.pop("processes") == 1
    t.restore(type(read_checkpoint(folder))(read_checkpoint(folder).tensors, values))


def test_the_room_for_every_process_is_asked_for(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("pushforward.training.loop.require_space", lambda folder, n: asked.append(n))
    trainer(tmp_path, Pooled).start()
    trainer(tmp_path, Pooled, world=Imagined(0, 3)).start()
    assert asked[1] - asked[0] == 15 * 2 * Pooled().pool.nbytes


# -- training only ----------------------------------------------------------------------------------


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A published model whose pool is not empty, and a way to load it."""

    class Recipe:
        def build(self, shape):
            return Pooled()

    monkeypatch.setattr(store, "recipe_class", lambda name: Recipe)
    monkeypatch.setattr(store, "migrate", lambda method, options: (method, options))
    monkeypatch.setattr(store, "_tuples", lambda kind, options: options)
    algorithm = Pooled()
    algorithm.pool.fill_(3.0)
    about = {"method": "pooled", "options": {}, "shape": [1, 8, 8], "step": 1}
    store.publish(tmp_path, algorithm, about)
    return algorithm


def test_publishing_leaves_out_what_only_training_needs(published, tmp_path):
    held = store.load_file(tmp_path / "model.safetensors")
    assert held.keys() == {"net.weight", "net.bias", "pooling.weight", "pooling.bias"}
    loaded = store.load(tmp_path)
    assert torch.equal(loaded.algorithm.net.weight, published.net.weight)
    assert torch.equal(loaded.algorithm.pool, Pooled().pool)  # as it is built
    assert loaded.sample(2).shape == (2, 1, 8, 8)


def test_a_checkpoint_keeps_it(tmp_path):
    t = trainer(tmp_path, Pooled)
    t.algorithm.pool.fill_(3.0)
    t.start()
    held = newest_checkpoint(tmp_path / "checkpoints")[1].tensors["algorithm"]
    assert torch.equal(held["pool"], torch.full((5, PIXELS), 3.0))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda held: held.pop("net.bias"), "missing or unexpected: net.bias"),
        (lambda held: held.update(other=ONE), "missing or unexpected: other"),
    ],
)
def test_nothing_else_may_be_missing(published, tmp_path, change, said):
    held = store.load_file(tmp_path / "model.safetensors")
    change(held)
    (tmp_path / "model.safetensors").write_bytes(store.save(held))
    with pytest.raises(UserError, match=said):
        store.load(tmp_path)


def test_a_model_published_before_the_declaration_still_loads(published, tmp_path):
    held = store.load_file(tmp_path / "model.safetensors")
    held |= {"pool": torch.full((5, PIXELS), 2.0), "seen": ONE}
    (tmp_path / "model.safetensors").write_bytes(store.save(held))
    assert torch.equal(store.load(tmp_path).algorithm.pool, held["pool"])
