"""What a step costs with what a critic sees of few images, in steps of the plain method, interleaved.

    OMP_NUM_THREADS=1 python benchmarks/dag_step.py [--json] [--only dag sampled] [--rounds 9] [--seconds 0.5]

`dag` shows the image and three rotations (K = 4), each by a head of its own; `sampled` draws one of the three
for each step; `ada` has a fixed p of ½; `projected` has its own critic in place of either network's. For
`gan`, `wgan-gp` and `r3gan` on DCGAN's and the residual networks, 1 x 32 x 32 images of mnist5k: the
library's whole path (recipe, stream, trainer). One critic step for one of the generator, so that methods
compare. Processor time, so that a shared machine matters less. Ratios are medians over rounds.

`NAME_arithmetic` is the ratio of the multiply-adds of convolutions and products: what no implementation of
that step can be much below. A further variant is a line of VARIANTS; its ratio is `NAME_vs_plain`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import quick
import torch
from method_step import seconds_a_step, steps_of
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from pushforward.data import load_splits

METHODS = ["gan", "wgan-gp", "r3gan"]
NETWORKS = ["dcgan", "residual"]
PLAIN = "plain"
VARIANTS: dict[str, dict[str, Any]] = {
    "dag": {"augment": "dag"},
    "sampled": {"augment": "dag", "dag_heads_per_step": 1},
    "diffaugment": {"augment": "diffaugment"},
    "ada": {"augment": "ada", "ada_p": 0.5},
    "lecam": {"lecam": 0.3, "lecam_after": 0},
    "projected": {"critic": "projected"},
}
QUICK = [name for name in VARIANTS if name != "projected"]  # whose step takes longest


class Counted(TorchDispatchMode):
    """Floating-point operations of convolutions and matrix products while inside."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count, and go on."""
        out = func(*args, **(kwargs or {}))
        count = flop_registry.get(func.overloadpacket)
        if count is not None:
            self.operations += count(*args, **(kwargs or {}), out_val=out)
        return out


def operations(run: Callable) -> int:
    """Of one step."""
    with Counted() as counted:
        run(1)
    return counted.operations


def race(runs: dict[str, Callable], rounds: int, seconds: float) -> dict[str, list[float]]:
    """Seconds a step of each variant in each round, taking turns of about so many seconds."""
    counts = {}
    for name, run in runs.items():
        run(1)  # warm-up
        counts[name] = max(1, round(seconds / seconds_a_step(run, 1)))
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            times[name].append(seconds_a_step(run, counts[name]))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON only")
    parser.add_argument("--only", nargs="+", choices=list(VARIANTS), default=list(VARIANTS), help="variants")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS, help="which methods")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS, help="which networks")
    parser.add_argument("--width", type=int, default=64, help="channels at the finest scale")
    parser.add_argument("--batch", type=int, default=64, help="images a step")
    parser.add_argument("--rounds", type=int, default=9, help="timed rounds of each variant")
    parser.add_argument("--seconds", type=float, default=0.5, help="length of a variant's turn")
    args = quick.parse(parser, rounds=3, seconds=0.1, width=32, batch=32, only=QUICK)
    data = load_splits("mnist5k", image_size=32).train
    variants = {PLAIN: {}} | {name: VARIANTS[name] for name in args.only}
    rows: list[dict] = []
    ratios: dict[str, float] = {}
    for method in args.methods:
        for network in args.networks:
            common = {"network": network, "width": args.width}
            with tempfile.TemporaryDirectory() as folder:
                runs = {
                    name: steps_of(method, {"n_critic": 1} | common | own, data, args.batch, Path(folder))
                    for name, own in variants.items()
                }
                counted = {name: operations(run) for name, run in runs.items()}
                times = race(runs, args.rounds, args.seconds)
            label = f"{method}_{network}"
            for name, t in times.items():
                ms = round(1e3 * statistics.median(t), 2)
                rows.append({"method": method, "network": network, "variant": name, "ms_per_step": ms})
                if name != PLAIN:
                    pairs = zip(t, times[PLAIN], strict=True)
                    ratios[f"{label}_{name}_vs_plain"] = round(statistics.median(a / b for a, b in pairs), 3)
                    ratios[f"{label}_{name}_arithmetic"] = round(counted[name] / counted[PLAIN], 3)
    if args.json:
        result = {"name": "dag_step", "ratios": ratios, "rows": rows, "threads": torch.get_num_threads()}
        print(json.dumps(result | args.machine))
        return
    for row in rows:
        where = f"{row['method']:<8} {row['network']:<9} {row['variant']:<12}"
        print(f"{where} {row['ms_per_step']:9.2f} ms/step")
    for name, value in ratios.items():
        print(f"{name:<38} {value:.3f}")


if __name__ == "__main__":
    main()
