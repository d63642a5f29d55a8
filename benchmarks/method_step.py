"""What a step of each adversarial method costs, in steps of the plain GAN, interleaved.

    OMP_NUM_THREADS=1 python benchmarks/method_step.py [--json] [--image] [--rounds 15] [--seconds 0.3]

The library's whole path (recipe, stream, trainer), the same networks for all, each method's own defaults
otherwise; a step is one of the generator, with all the critic steps that the method takes for it. Without
`--image`: three layers of 128 on 256 points of the grid, z of 2 dimensions. With it: DCGAN's networks of
width 16 on 64 images of mnist5k, 28 x 28. Processor time, so that a shared machine matters less; of one
thread. Ratios are medians over rounds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import quick
import torch

from pushforward.data import Dataset, Stream, load_splits
from pushforward.methods import METHODS, recipe_class
from pushforward.recipes.adversarial import AdversarialRecipe
from pushforward.training.loop import Trainer
from pushforward.training.settings import LoopSettings

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "gan --noise 0.5": ("gan", {"noise": 0.5}),
    "pacgan --pack 4": ("pacgan", {"pack": 4}),
    "unrolled --first-order": ("unrolled", {"first_order": True}),
}
POINTS = {"latent_dim": 2, "hidden": (128, 128, 128)}
IMAGES = {"width": 16}


def contenders() -> dict[str, tuple[str, dict[str, Any]]]:
    """Every adversarial method that there is, and some with options."""
    plain = [name for name in METHODS if issubclass(recipe_class(name), AdversarialRecipe)]
    return {name: (name, {}) for name in plain} | VARIANTS


def steps_of(method: str, options: dict[str, Any], data: Dataset, batch: int, folder: Path) -> Callable:
    """A function that trains for n steps, from seed 0."""
    torch.manual_seed(0)
    algorithm = recipe_class(method)(**options).build(data.shape).train()
    stream = Stream({"data": data}, batch_size=batch, seed=0)
    trainer = Trainer(algorithm, stream, folder, steps=10**9, settings=LoopSettings(checkpoint_every=0))

    def run(n: int) -> None:
        for _ in range(n):
            trainer.one_step()
        trainer.flush()

    return run


def seconds_a_step(run: Callable, n: int) -> float:
    """Processor time."""
    start = time.process_time()
    run(n)
    return (time.process_time() - start) / n


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON only")
    parser.add_argument("--image", action="store_true", help="on images instead of points")
    parser.add_argument("--rounds", type=int, default=15, help="timed rounds of each method")
    parser.add_argument("--seconds", type=float, default=0.3, help="length of a method's turn")
    args = quick.parse(parser, rounds=3, seconds=0.1)
    torch.manual_seed(0)
    data, batch, networks = (
        (load_splits("mnist5k").train, 64, IMAGES) if args.image else (load_splits("grid").train, 256, POINTS)
    )
    chosen = contenders()
    times: dict[str, list[float]] = {label: [] for label in chosen}
    with tempfile.TemporaryDirectory() as folder:
        runs = {
            label: steps_of(method, {**networks, **own}, data, batch, Path(folder))
            for label, (method, own) in chosen.items()
        }
        counts = {}
        for label, run in runs.items():
            run(2)  # warm-up
            counts[label] = max(1, round(args.seconds / seconds_a_step(run, 2)))
        for _ in range(args.rounds):
            for label, run in runs.items():
                times[label].append(seconds_a_step(run, counts[label]))
    rows = [{"method": m, "ms_per_step": round(1e3 * statistics.median(t), 3)} for m, t in times.items()]
    ratios = {
        f"{label}_vs_gan": round(statistics.median(a / b for a, b in zip(t, times["gan"], strict=True)), 2)
        for label, t in times.items()
    }
    if args.json:
        result = {"name": "method_step", "ratios": ratios, "rows": rows, "threads": torch.get_num_threads()}
        print(json.dumps(result | args.machine))
        return
    for row in rows:
        ratio = ratios[f"{row['method']}_vs_gan"]
        print(f"{row['method']:<24} {row['ms_per_step']:9.2f} ms/step  {ratio:5.2f} x gan")


if __name__ == "__main__":
    main()
