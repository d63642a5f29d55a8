"""The loop's promises: NaN, signals, schedules, averages, minutes, locks, logs."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import signal
from itertools import pairwise

import pytest
import torch
from torch import nn

import pushforward
from pushforward.core import Algorithm, Clock, Player, Update, cosine
from pushforward.errors import Diverged, RunFailed, Stopped, UserError
from pushforward.files import read_metrics
from pushforward.training import loop as loop_module
from pushforward.training.checkpoint import newest_checkpoint
from pushforward.training.folder import locked
from pushforward.training.guard import NonFinite, Reports
from pushforward.training.minutes import steps_in
from pushforward.training.optim import build_optimizers
from pushforward.training.settings import Hooks
from tests.runs import assert_same, small_images, trainer, weights


class Line(Algorithm):
    """Least squares on the mean pixel, with everything that a player can ask for."""

    def __init__(self, *, nan_at: int | None = None, weight_nan_at: int | None = None, **player) -> None:
        super().__init__()
        self.net = nn.Linear(64, 1)
        self.norm = nn.BatchNorm1d(64)
        self.nan_at, self.weight_nan_at, self.player = nan_at, weight_nan_at, player

    def players(self):
        modules = nn.ModuleList([self.net, self.norm])
        return {"line": Player(module=modules, **{"lr": 0.01, **self.player})}

    def step(self, draw):
        x = draw().x.flatten(1)
        loss = (self.net(self.norm(x)) - x.mean(1, keepdim=True)).square().mean()
        if self.nan_at == self.clock.step + 1:
            loss = loss * math.nan
        info = yield Update({"line": loss}, {"twice": 2 * loss})
        assert torch.allclose(info["twice"], 2 * loss.detach(), equal_nan=True)
        if self.weight_nan_at == self.clock.step + 1:
            with torch.no_grad():
                self.net.weight[0, 0] = math.nan


def run(t):
    t.start()
    t.run()
    return t


def test_a_nan_loss_stops_names_and_saves_nothing(tmp_path):
    names = small_images().names
    hooks = Hooks(describe_batch=lambda position: f" at row {position['data']}, {names[0]}")
    t = trainer(tmp_path, lambda: Line(nan_at=6), steps=12, hooks=hooks)
    with pytest.raises(Diverged, match=r"'line' became nan at step 6 at row 30, image 0.*lower `lr`"):
        run(t)
    assert newest_checkpoint(tmp_path / "checkpoints")[0].name == "step-0000004"
    assert all(math.isfinite(v) for row in read_metrics(tmp_path / "metrics.jsonl") for v in row.values())


def test_a_nan_weight_under_a_finite_loss_is_never_saved(tmp_path):
    t = trainer(tmp_path, lambda: Line(weight_nan_at=8), steps=12, settings={"log_every": 100})
    with pytest.raises(Diverged, match=r"'net.weight' became NaN or infinite by step 8"):
        run(t)
    assert newest_checkpoint(tmp_path / "checkpoints")[0].name == "step-0000004"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_finishes_the_step_saves_and_says_how_to_go_on(tmp_path, number):
    before = signal.getsignal(number)

    def at_four(clock):
        if clock.step == 4:
            os.kill(os.getpid(), number)

    t = trainer(tmp_path, Line, hooks=Hooks(progress=at_four))
    with pytest.raises(Stopped, match=r"saved at step 5 of 12.*--resume") as stopped:
        run(t)
    assert stopped.value.signal_number == number
    assert newest_checkpoint(tmp_path / "checkpoints")[0].name == "step-0000005"
    assert signal.getsignal(number) == before

    again = trainer(tmp_path, Line)
    again.resume()
    again.run()
    assert_same(weights(run(trainer(tmp_path / "whole", Line)).algorithm), weights(again.algorithm))


def test_a_full_disk_midway_is_one_line_and_the_last_checkpoint_survives(tmp_path, monkeypatch):
    t = trainer(tmp_path, Line)
    t.start()

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(loop_module, "save_checkpoint", full)
    with pytest.raises(RunFailed, match=r"full.*--resume"):
        t.run()
    monkeypatch.undo()
    assert newest_checkpoint(tmp_path / "checkpoints")[0].name == "step-0000000"


def test_a_disk_without_room_is_found_before_the_start(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000})())
    with pytest.raises(UserError, match=r"`run`: .* 0 MB free and this run needs about 20 MB"):
        trainer(tmp_path, Line).start()
    assert not (tmp_path / "checkpoints").exists()


def test_two_runs_cannot_share_a_folder(tmp_path):
    taken = pytest.raises(UserError, match=f"in use by process {os.getpid()}")
    with locked(tmp_path), taken, locked(tmp_path):
        pass
    with locked(tmp_path):
        assert (tmp_path / "LOCK").exists()


def test_metrics_are_cut_back_to_the_checkpoint(tmp_path):
    t = trainer(tmp_path, Line, steps=12, settings={"checkpoint_every": 5, "log_every": 2})
    t.start()
    while t.clock.step < 9:
        t.one_step()
        t._boundary(type("Nothing", (), {"received": None})())
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 10, "loss/l')
    again = trainer(tmp_path, Line, steps=12, settings={"checkpoint_every": 5, "log_every": 2})
    again.resume()
    assert [row["step"] for row in read_metrics(tmp_path / "metrics.jsonl")] == [2, 4, 5]
    again.run()
    rows = read_metrics(tmp_path / "metrics.jsonl")
    assert [row["step"] for row in rows] == [2, 4, 5, 6, 8, 10, 12]
    assert [row["images"] for row in rows] == [6 * row["step"] for row in rows]
    assert all(b["seconds"] >= a["seconds"] for a, b in pairwise(rows))
    assert rows[0].keys() == {"step", "loss/line", "info/twice", "seconds", "images"}
    assert rows[0]["info/twice"] == pytest.approx(2 * rows[0]["loss/line"])


def test_averages_follow_their_formula_and_are_published(tmp_path):
    decay = 0.9
    published = {}
    hooks = Hooks(publish=lambda a, clock: published.update(weights(a)))
    t = trainer(tmp_path, lambda: Line(ema=decay), steps=6, hooks=hooks)
    t.start()
    expected = t.algorithm.net.weight.detach().clone()
    while t.clock.step < 6:
        t.one_step()
        expected = decay * expected + (1 - decay) * t.algorithm.net.weight.detach()
    live = weights(t.algorithm)
    t.save()
    assert torch.allclose(published["net.weight"], expected)
    assert not torch.equal(live["net.weight"], published["net.weight"])
    assert torch.equal(live["norm.running_mean"], published["norm.running_mean"])  # buffers are copied
    assert_same(live, weights(t.algorithm))
    assert t.algorithm.training

    again = trainer(tmp_path, lambda: Line(ema=decay), steps=6)
    again.resume()
    assert_same(dict(t.averages.state()), dict(again.averages.state()))


def test_a_buffer_that_is_replaced_is_noticed_before_it_is_lost(tmp_path):
    t = trainer(tmp_path, lambda: Line(ema=0.9))
    t.start()
    t.algorithm.norm.running_mean = t.algorithm.norm.running_mean + 1
    with pytest.raises(RuntimeError, match=r"'b\.1\.running_mean' of player 'line' was replaced"):
        t.save()


@pytest.mark.parametrize(("option", "value"), [("lr", 0.0), ("lr", math.nan), ("ema", 1.0), ("ema", 0.0)])
def test_a_player_refuses_impossible_settings(option, value):
    with pytest.raises(UserError, match=f"`{option}`: {value}; expected"):
        Player(module=nn.Linear(1, 1), **{option: value})


def test_schedules_read_the_clock_and_rates_can_be_set(tmp_path):
    seen = []

    def schedule(clock):
        seen.append(clock.step)
        return 1 - clock.fraction

    t = run(trainer(tmp_path, lambda: Line(schedule=schedule), steps=4, settings={"rates": {"line": 0.5}}))
    assert seen == [0, 1, 2, 3]
    assert t.optimizers["line"].param_groups[0]["lr"] == pytest.approx(0.5 * 0.25)


def test_clipping_bounds_the_gradient(tmp_path):
    t = trainer(tmp_path, lambda: Line(clip_norm=1e-3, optimizer=torch.optim.SGD, lr=1.0))
    before = weights(t.algorithm)
    t.one_step()
    moved = [
        t.algorithm.state_dict()[k] - v
        for k, v in before.items()
        if "net." in k or "norm.w" in k or "norm.bias" in k
    ]
    assert torch.cat([m.flatten() for m in moved]).norm().item() == pytest.approx(1e-3, rel=1e-2)


def test_adam_is_fused_and_shared_parameters_are_refused():
    net = nn.Linear(2, 2)
    optimizers = build_optimizers({"a": Player(module=net)})
    assert optimizers["a"].defaults["fused"] is True
    with pytest.raises(UserError, match="'a' and 'b' share a parameter"):
        build_optimizers({"a": Player(module=net), "b": Player(module=net)})


def test_minutes_become_steps_and_leave_no_trace(tmp_path):
    t = trainer(tmp_path, "vae", steps=1)
    t.start()
    before = weights(t.algorithm), {k: v.clone() for k, v in t._tensors()["random"].items()}
    steps = steps_in(t, 0.01)
    assert steps > 1
    assert t.clock.step == 0
    assert t.draw.state() == {"data": 0}
    assert_same(before[0], weights(t.algorithm))
    t.clock.steps = 5
    t.run()
    straight = run(trainer(tmp_path / "straight", "vae", steps=5))
    assert_same(weights(straight.algorithm), weights(t.algorithm))


def test_bf16_runs_with_fp32_weights_and_finite_losses(tmp_path):
    t = run(trainer(tmp_path, "vae", settings={"precision": "bf16"}))
    assert all(p.dtype == torch.float32 for p in t.algorithm.parameters())
    rows = read_metrics(tmp_path / "metrics.jsonl")
    full = run(trainer(tmp_path / "full", "vae"))
    assert rows[-1]["loss/vae"] == pytest.approx(
        read_metrics(full.folder / "metrics.jsonl")[-1]["loss/vae"], rel=0.05
    )
    assert rows[-1]["loss/vae"] != read_metrics(full.folder / "metrics.jsonl")[-1]["loss/vae"]


def test_an_update_that_names_no_player_is_a_clear_error(tmp_path):
    class Wrong(Line):
        def step(self, draw):
            yield Update({"lime": self.net(draw().x.flatten(1)).mean()})

    with pytest.raises(KeyError, match="'lime', which is no player"):
        trainer(tmp_path, Wrong).one_step()


def test_identity_is_kept_in_the_checkpoint(tmp_path):
    t = trainer(tmp_path, Line, settings={"identity": {"method": "line"}})
    t.start()
    assert newest_checkpoint(tmp_path / "checkpoints")[1].values["identity"] == {"method": "line"}
    assert json.loads((tmp_path / "checkpoints" / "step-0000000" / "manifest.json").read_text())


def test_the_cosine_falls_from_one_to_zero():
    factors = [cosine(Clock(step=step, steps=4)) for step in range(5)]
    assert factors == pytest.approx([1, 0.5 + 0.5 * math.sqrt(0.5), 0.5, 0.5 - 0.5 * math.sqrt(0.5), 0])


def test_a_kill_between_a_checkpoint_and_its_publication_is_mended_by_the_resume(tmp_path):
    t = run(trainer(tmp_path, Line))
    published = {}
    again = trainer(tmp_path, Line, hooks=Hooks(publish=lambda a, clock: published.update(step=clock.step)))
    again.resume()
    assert published == {"step": t.clock.steps}


def test_a_nan_of_a_player_that_reports_only_at_some_steps_is_seen():
    history = Reports()
    history.add(1, {"loss/a": torch.tensor(1.0)}, {"data": 0})
    history.add(2, {"loss/a": torch.tensor(1.0), "loss/b": torch.tensor(math.nan)}, {"data": 5})
    with pytest.raises(NonFinite, match="'b' became nan at step 2") as bad:
        history.means()
    assert bad.value.position == {"data": 5}
    assert len(history) == 0


def test_a_step_that_fails_over_nan_weights_has_diverged(tmp_path):
    class Picky(Line):
        def step(self, draw):
            if torch.isnan(self.net.weight).any():
                raise ValueError("the parameter loc has invalid values")
            yield from super().step(draw)

    t = trainer(tmp_path, lambda: Picky(weight_nan_at=5), steps=12, settings={"log_every": 100})
    with pytest.raises(Diverged, match=r"'net.weight' became NaN"):
        run(t)


def test_a_thread_can_train(tmp_path):
    import threading

    steps = []
    thread = threading.Thread(target=lambda: steps.append(run(trainer(tmp_path, Line)).clock.step))
    thread.start()
    thread.join()
    assert steps == [12]


def test_moments_that_are_no_numbers_are_never_saved(tmp_path):
    """Squares of gradients of 1e25 pass what single precision holds: Adam would stand still from then on."""
    t = trainer(tmp_path, "gan", steps=8)
    t.start()
    t.one_step()
    before = sorted(p.name for p in (tmp_path / "checkpoints").iterdir())
    optimizer = t.optimizers["critic"]
    parameter = optimizer.param_groups[0]["params"][0]
    parameter.grad = torch.full_like(parameter, 1e25)
    optimizer.step()
    with pytest.raises(Diverged, match=r"gradients of 'critic' became too large.*exp_avg_sq.*step 1"):
        t.save()
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == before


def test_a_disk_too_small_is_told_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    with pytest.raises(UserError, match="MB free and this run needs"):
        pushforward.train("vae", data="digits", steps=4, run=tmp_path / "r")
    assert not (tmp_path / "r").exists()
