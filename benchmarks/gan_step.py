"""Time adversarial training steps against bare PyTorch loops and against public scripts' way, interleaved.

    python benchmarks/gan_step.py [--json] [--only gan toy] [--rounds 15] [--seconds 0.5] [--clock cpu]

`gan`, `wgan-gp` (5 critic steps and one of the generator) and `r3gan` on DCGAN's networks, 1 x 32 x 32,
batches of 64 of mnist5k; `toy` is `gan` with two layers of 128 on 512 points of the ring; `script` is `gan`
with the networks of a well-known public script (upsampling, dropout, batch normalisation in the critic).
Ours is the library's whole path: recipe, stream, trainer. The others are in gan_loops.py. Ratios are of
times, ours over theirs, per round, as medians; under 1 is faster. Those with bf16 in their name have ours in
bf16; theirs is in bf16 too for `bare`, and in fp32 for `public`. `--clock cpu` counts what this process
computed instead of what passed on the wall: with OMP_NUM_THREADS=1 it holds on a busy machine, too.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import quick
import torch
from gan_loops import Steps, bare, parameters, public
from gan_networks import LATENT, Method, critic, generator
from torch import nn

from pushforward.algorithms.gan import GAN, GANHyperparameters
from pushforward.core import Algorithm
from pushforward.data import Dataset, Stream, load_splits
from pushforward.methods import recipe_class
from pushforward.networks.layers import ChannelsLast, count_parameters
from pushforward.training.loop import Trainer
from pushforward.training.precision import Precision
from pushforward.training.settings import LoopSettings
from pushforward.views import ViewedCritic

BATCH: dict[Method, int] = {"gan": 64, "wgan-gp": 64, "r3gan": 64, "toy": 512, "script": 64}


def model(method: Method, data: Dataset) -> Algorithm:
    if method == "script":
        g, d = generator(method), critic(method)
        return GAN(
            generator=nn.Sequential(*g[:2], ChannelsLast(), *g[2:]),
            critic=ViewedCritic(nn.Sequential(ChannelsLast(), *d)),
            hyper=GANHyperparameters(latent_dim=LATENT),
        )
    return recipe_class("gan" if method == "toy" else method)(latent_dim=LATENT).build(data.shape)


def ours(method: Method, data: Dataset, folder: Path, precision: Precision = "fp32") -> Steps:
    stream = Stream({"data": data}, batch_size=BATCH[method], seed=0)
    settings = LoopSettings(checkpoint_every=0, precision=precision)
    algorithm = model(method, data).train()
    assert count_parameters(algorithm) == parameters(method), "the networks are not the same"
    trainer = Trainer(algorithm, stream, folder, steps=10**9, settings=settings)

    def steps(n: int) -> None:
        for _ in range(n):
            trainer.one_step()
        trainer.flush()

    return steps


def competitors(method: Method, data: Dataset, folder: Path) -> dict[str, Steps]:
    """By name; the first is what the others are compared with."""
    plain = data.x if method == "toy" else data.x.float() / 127.5 - 1
    batch = BATCH[method]
    found = {
        "pushforward": ours(method, data, folder),
        "bare": bare(method, plain, batch),
        "public": public(method, plain, batch),
    }
    if method != "toy":  # where bf16 only adds casts
        found["pushforward-bf16"] = ours(method, data, folder, "bf16")
        found["bare-bf16"] = bare(method, plain, batch, bf16=True)
    return found


def race(
    method: Method, runners: dict[str, Steps], rounds: int, seconds: float, clock: Callable[[], float]
) -> tuple[list[dict], dict[str, float]]:
    """Rows and ratios. Each round gives every competitor its turn, of about so many seconds."""
    counts = {}
    for name, run in runners.items():  # warm-up, and how many steps a turn has
        run(2)
        start = clock()
        run(2)
        counts[name] = max(1, round(2 * seconds / (clock() - start)))
    times: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(rounds):
        for name, run in runners.items():
            start = clock()
            run(counts[name])
            times[name].append((clock() - start) / counts[name])
    rows = [
        {
            "method": method,
            "loop": name,
            "ms_per_step": round(1e3 * statistics.median(t), 3),
            "samples_per_second": round(BATCH[method] / statistics.median(t), 1),
        }
        for name, t in times.items()
    ]

    def ratio(mine: str, theirs: str) -> float:
        return round(statistics.median(a / b for a, b in zip(times[mine], times[theirs], strict=True)), 4)

    ratios = {f"{method}_vs_{name}": ratio("pushforward", name) for name in ("bare", "public")}
    if "pushforward-bf16" in times:
        ratios[f"{method}_bf16_vs_bare"] = ratio("pushforward-bf16", "bare-bf16")
        ratios[f"{method}_bf16_vs_public"] = ratio("pushforward-bf16", "public")
    return rows, ratios


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON only")
    parser.add_argument("--only", nargs="+", choices=list(BATCH), default=list(BATCH), help="which methods")
    parser.add_argument("--rounds", type=int, default=15, help="timed rounds of each competitor")
    parser.add_argument("--seconds", type=float, default=0.5, help="length of a competitor's turn")
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall", help="which time is taken")
    args = quick.parse(parser, rounds=3, seconds=0.1)
    clock = time.perf_counter if args.clock == "wall" else time.process_time
    rows: list[dict] = []
    ratios: dict[str, float] = {}
    for method in args.only:
        data = load_splits("ring").train if method == "toy" else load_splits("mnist5k", image_size=32).train
        with tempfile.TemporaryDirectory() as temporary:
            runners = competitors(method, data, Path(temporary))
            found, compared = race(method, runners, args.rounds, args.seconds, clock)
        rows += found
        ratios |= compared
    if args.json:
        machine = {"threads": torch.get_num_threads(), "clock": args.clock}
        print(json.dumps({"name": "gan_step", "ratios": ratios, "rows": rows, **machine, **args.machine}))
        return
    for row in rows:
        print(
            f"{row['method']:<8} {row['loop']:<17} {row['ms_per_step']:8.2f} ms/step "
            f"{row['samples_per_second']:9,.0f} samples/s"
        )
    for name, value in ratios.items():
        print(f"{name:<24} {value:.3f}")


if __name__ == "__main__":
    main()
