"""`vae --preset mnist` beside pythae 0.1.2, as long, on the same split of `mnist10k`.

    python benchmarks/vae_preset.py [--json] [--minutes 20] [--seeds 3] [--threads 1]

The preset was made for all 60,000 images of MNIST; `mnist10k` holds 10,000 of them, of which a tenth is held
out by content. So both overfit, and both are read by their best weights on validation images: pythae keeps
those, ours publishes them as `best`. pythae is its default 784-512-16 MLP, trained on grey pixels as its
users do. One evaluator measures both, as in vae_bound.py, on 1,000 held-out images. They run at the same
time, a core each.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import quick

DATA = "mnist10k"


def ours(minutes: float, seed: int) -> dict[str, Any]:
    from vae_bound import LIMIT, bound

    import pushforward
    from pushforward.core import to_float
    from pushforward.data import load_splits
    from pushforward.recipes.presets import find_preset

    preset = find_preset("vae", "mnist")
    shared = {**preset.train, "data": DATA, "minutes": minutes, "seed": seed, "sample_every": 0}
    x_test = to_float(load_splits(DATA).test.x[:LIMIT])
    with tempfile.TemporaryDirectory() as folder:
        run = pushforward.train("vae", options=preset.options, run=str(Path(folder) / "run"), **shared)
        last, best = pushforward.load(run), pushforward.load(run, which="best")
    return {
        "steps": last.about["step"],
        "best_step": best.about["step"],
        "iwae100": bound(best.algorithm, x_test, grey_encoder=False),  # type: ignore[arg-type]
        "iwae100_last": bound(last.algorithm, x_test, grey_encoder=False),  # type: ignore[arg-type]
    }


def pythae(minutes: float, seed: int) -> dict[str, Any]:
    from vae_bound import LIMIT, bound, train_pythae

    from pushforward.core import to_float
    from pushforward.data import load_splits
    from pushforward.data.dataset import split_validation

    splits = load_splits(DATA)
    images, validation = split_validation(splits.train, 0.05)
    assert validation is not None
    x_test = to_float(splits.test.x[:LIMIT])
    model, steps = train_pythae(images, to_float(validation.x), 60 * minutes, seed)
    return {"steps": steps, "iwae100": max(bound(model, x_test, grey_encoder=g) for g in (False, True))}


def in_its_own_process(name: str, minutes: float, seed: int, threads: int, core: int) -> dict[str, Any]:
    import torch

    torch.set_num_threads(threads)
    if threads == 1 and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[core % len(cores)]})
    run = {"pushforward": ours, "pythae": pythae}[name]
    return {"method": name, "seed": seed, **run(minutes, seed)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON only")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    args = quick.parse(parser, minutes=0.2, seeds=1)
    rows = []
    with multiprocessing.get_context("spawn").Pool(2, maxtasksperchild=1) as pool:
        for seed in range(args.seeds):
            asked = [
                (name, args.minutes, seed, args.threads, i)
                for i, name in enumerate(("pushforward", "pythae"))
            ]
            for row in pool.starmap(in_its_own_process, asked, chunksize=1):
                rows.append(row)
                if not args.json:
                    print(row, file=sys.stderr, flush=True)
    summary = {
        name: {"mean": statistics.mean(v), "sd": statistics.stdev(v) if len(v) > 1 else None}
        for name in ("pushforward", "pythae")
        for v in [[r["iwae100"] for r in rows if r["method"] == name]]
    }
    result = {"name": "vae_preset", "minutes": args.minutes, "summary": summary, "rows": rows} | args.machine
    print(json.dumps(result))


if __name__ == "__main__":
    main()
