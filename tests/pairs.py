"""Two processes that train, are cut and resume: does what they hold equal that of two that were left alone?

One `torchrun` for many methods, since its start takes longer than all of them:

    pairs = train_pairs(folder, {"vae": ("vae", {}), "pool": ("tests.toys:Pooled", {})})
    assert pairs["vae"] == Pair()
"""

from __future__ import annotations

import json
import os
import pkgutil
import subprocess
import sys
import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from pushforward.training.checkpoint import split_state
from pushforward.training.distributed import World, join, leave
from pushforward.training.loop import Trainer
from tests.runs import trainer

ROOT = Path(__file__).parent.parent
STEPS, SAVED, CUT = 8, 4, 6
Jobs = Mapping[str, tuple[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class Pair:
    """What came of two processes.

    unlike: state of either that the resumed run and the one left alone have not in common, bit for bit, as
    "rank N: NAME". drifted: state that is not declared local and differed between the two before a save.
    """

    unlike: list[str] = field(default_factory=list)
    drifted: list[str] = field(default_factory=list)


def train_pairs(folder: Path, jobs: Jobs, *, timeout: float = 240) -> dict[str, Pair]:
    """Train by two processes, a job after another, in one start of them.

    jobs: name -> method, or "module:factory" of an algorithm, and options. Raises AssertionError with the
    traceback of the first job that fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "jobs.json").write_text(json.dumps(jobs))
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    result = subprocess.run(
        [*words, "-m", "tests.pairs", str(folder)],
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert result.returncode == 0, result.stderr
    return {name: Pair(**pair) for name, pair in json.loads((folder / "pairs.json").read_text()).items()}


def main(folder: Path) -> None:
    """One of the two processes."""
    world, _ = join("cpu")
    pairs = {}
    for name, (method, options) in json.loads((folder / "jobs.json").read_text()).items():
        try:
            pairs[name] = asdict(train_pair(folder / name, method, options, world))
        except Exception:
            print(f"rank {world.rank}, job '{name}':\n{traceback.format_exc()}", file=sys.stderr)
            raise
    if world.main:
        (folder / "pairs.json").write_text(json.dumps(pairs))
    world.barrier()
    world.close()
    leave(0)


def train_pair(folder: Path, method: str, options: dict[str, Any], world: World) -> Pair:
    """A run left alone and one that is cut and resumed. Called by both processes at once."""

    def fresh(name: str) -> Trainer:
        made = pkgutil.resolve_name(method) if ":" in method else method
        settings = {"checkpoint_every": SAVED}
        return trainer(folder / name, made, steps=STEPS, options=options, world=world, settings=settings)

    whole = fresh("whole")
    whole.start()
    whole.run()

    cut = fresh("cut")
    cut.start()
    while cut.clock.step < CUT:
        cut.one_step()
        if cut.clock.step == SAVED:
            cut.save()
    drifted = _drifted(cut)
    torch.randn(world.rank + 1)  # whatever dead processes did to their random states

    again = fresh("cut")
    again.resume()
    assert again.clock.step == SAVED
    again.run()
    unlike = [f"rank {world.rank}: {name}" for name in _unlike(full_state(whole), full_state(again))]
    return Pair([line for lines in _of_both(unlike) for line in lines], drifted)


def full_state(t: Trainer) -> dict[str, Any]:
    """All that a process holds, flat."""
    tensors = {f"{group}/{k}": v.clone() for group, held in t._tensors().items() for k, v in held.items()}
    extra = split_state(t.algorithm.state_dict())[1]
    return {**tensors, **{f"extra/{k}": v for k, v in extra.items()}, "clock": asdict(t.clock)}


def _drifted(t: Trainer) -> list[str]:
    local = {f"{group}/{k}" for k in t.algorithm.declared("local") for group in ("algorithm", "extra")}
    return _unlike(*_of_both({k: v for k, v in full_state(t).items() if k not in local}))


def _of_both(value: Any) -> list[Any]:
    values: list[Any] = [None, None]
    dist.all_gather_object(values, value)
    return values


def _unlike(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    """Names of what is not the same in both, bit for bit."""

    def same(x: Any, y: Any) -> bool:
        return torch.equal(x, y) if isinstance(x, torch.Tensor) and isinstance(y, torch.Tensor) else x == y

    return sorted(name for name in {*a, *b} if name not in a or name not in b or not same(a[name], b[name]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
