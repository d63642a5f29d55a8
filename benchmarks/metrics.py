"""Time the measures of image quality against the usual libraries, interleaved, on the same features.

    python benchmarks/metrics.py [--json] [--rounds 3] [--n 10000] [--threads N]

Features are correlated, not Gaussian, and drawn anew for each size. Ratios are of times, ours over the
peer's, per round, as medians; under 1 is faster. `frechet_moments_vs_scipy` and `..._vs_torchmetrics`: the
Fréchet distance at d = 2,048 where mean and covariance are given; `frechet_500_vs_torchmetrics`: moments
included, 500 rows. `prdc_vs_prdc`: at n rows of 1,280 features, with `prdc_memory_vs_prdc` the ratio of peak
memory, each in a process of its own. `small`: seconds of MIND, FLD, P-precision and P-recall with their
errors, on 2,000 samples together. `mig_vs_loop` and `factor_vae_vs_loop`: 10 codes and 5 factors of n rows,
against loops over pairs with scikit-learn and over votes with NumPy. `all`: seconds of the features of 5,000
images of 32 × 32 pixels and of all measures on them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import psutil
import quick
import torch
from sklearn.metrics import mutual_info_score
from torch import Tensor

from pushforward.features import find_extractor
from pushforward.metrics.disentanglement import BATCH, BINS, VOTES, factor_vae_score, mutual_information_gap
from pushforward.metrics.fld import fld
from pushforward.metrics.frechet import Moments, frechet_distance, frechet_from_moments, moments
from pushforward.metrics.mind import mind
from pushforward.metrics.prdc import prdc
from pushforward.metrics.probabilistic import probabilistic
from pushforward.metrics.table import MEASURES, Sets

RANK = 64


def features(n: int, d: int, shift: float = 0.0, *, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    axes = torch.randn(RANK, d, generator=torch.Generator().manual_seed(1))
    noise = torch.randn(n, d, generator=generator)
    return (torch.randn(n, RANK, generator=generator) @ axes / RANK**0.5 + 0.5 * noise + shift).relu()


def by_scipy(a: Moments, b: Moments) -> float:
    from scipy.linalg import sqrtm

    root = sqrtm((a.covariance @ b.covariance).numpy()).real.trace()
    shift = (a.mean - b.mean).square().sum()
    return float(shift + a.covariance.trace() + b.covariance.trace() - 2 * root)


def by_torchmetrics(a: Moments, b: Moments) -> float:
    from torchmetrics.image.fid import _compute_fid

    return float(_compute_fid(a.mean, a.covariance, b.mean, b.covariance))


def race(
    rounds: int, **competitors: Callable[[], object]
) -> tuple[dict[str, list[float]], dict[str, object]]:
    times: dict[str, list[float]] = {name: [] for name in competitors}
    values: dict[str, object] = {}
    for _ in range(rounds):
        for name, run in competitors.items():
            start = time.perf_counter()
            values[name] = run()
            times[name].append(time.perf_counter() - start)
    return times, values


def ratio(a: list[float], b: list[float]) -> float:
    return round(statistics.median(x / y for x, y in zip(a, b, strict=True)), 4)


def frechet(rounds: int, n: int, d: int) -> dict[str, float]:
    a, b = moments(features(n, d)), moments(features(n, d, 0.1, seed=2))
    frechet_from_moments(a, b)  # warm-up
    peers = {"torchmetrics": lambda: by_torchmetrics(a, b), "scipy": lambda: by_scipy(a, b)}
    times, values = race(rounds, ours=lambda: frechet_from_moments(a, b), **peers)
    told = {f"frechet_moments_vs_{name}": ratio(times["ours"], times[name]) for name in peers}
    ours = float(values["ours"])  # type: ignore[arg-type]
    told |= {f"frechet_off_{name}": abs(ours / float(values[name]) - 1) for name in peers}  # type: ignore[arg-type]
    few = [features(500, d), features(500, d, 0.1, seed=2)]
    times, _ = race(
        rounds,
        ours=lambda: frechet_distance(*few),
        torchmetrics=lambda: by_torchmetrics(*(moments(x) for x in few)),
    )
    return told | {"frechet_500_vs_torchmetrics": ratio(times["ours"], times["torchmetrics"])}


def neighbours(rounds: int, n: int) -> dict[str, float]:
    """Each in a process of its own, which prints its seconds and its growth in peak memory."""
    told: dict[str, list[tuple[float, float]]] = {"ours": [], "prdc": []}
    for _ in range(rounds):
        for name, own in told.items():
            command = [sys.executable, __file__, "--alone", name, "--n", str(n)]
            out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            own.append(tuple(json.loads(out.splitlines()[-1])))  # type: ignore[arg-type]
    seconds, memory = ({k: [pair[i] for pair in v] for k, v in told.items()} for i in (0, 1))
    return {
        "prdc_vs_prdc": ratio(seconds["ours"], seconds["prdc"]),
        "prdc_memory_vs_prdc": ratio(memory["ours"], memory["prdc"]),
        "prdc_seconds": statistics.median(seconds["ours"]),
    }


def alone(name: str, n: int) -> None:
    a, b = features(n, 1280), features(n, 1280, 0.1, seed=2)
    if name == "prdc":
        from prdc import compute_prdc
    process, peak, done = psutil.Process(), [0], threading.Event()
    before = process.memory_info().rss

    def watch() -> None:
        while not done.wait(0.005):
            peak[0] = max(peak[0], process.memory_info().rss - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    prdc(a, b) if name == "ours" else compute_prdc(a.numpy(), b.numpy(), 5)
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    print(json.dumps([seconds, peak[0]]))


def small(rounds: int) -> dict[str, float]:
    train, held_out, fake = (features(2000, 1280, 0.1 * (i == 2), seed=i) for i in range(3))

    def together() -> None:
        mind(fake, held_out)
        fld(train, held_out, fake)
        probabilistic(held_out, fake)

    together()
    times, _ = race(rounds, ours=together)
    return {"small": statistics.median(times["ours"])}


def mig_by_loop(codes: np.ndarray, factors: np.ndarray) -> float:
    binned = np.stack([np.digitize(c, np.histogram(c, BINS)[1][:-1]) for c in codes.T])
    told = np.array([[mutual_info_score(c, v) for c in binned] for v in factors.T])
    best = np.sort(told, axis=1)
    return float(
        np.mean([(b[-1] - b[-2]) / mutual_info_score(v, v) for b, v in zip(best, factors.T, strict=True)])
    )


def factor_vae_by_loop(codes: np.ndarray, factors: np.ndarray) -> float:
    rng, z = np.random.default_rng(0), codes / codes.std(0, ddof=1)
    counts = np.zeros((2, z.shape[1], factors.shape[1]), int)
    for vote in range(2 * VOTES):
        k = rng.integers(factors.shape[1])
        rows = np.flatnonzero(factors[:, k] == factors[rng.integers(len(factors)), k])
        counts[vote % 2, np.var(z[rng.choice(rows, BATCH)], axis=0, ddof=1).argmin(), k] += 1
    return float(counts[1][np.arange(z.shape[1]), counts[0].argmax(1)].sum() / VOTES)


def disentanglement(rounds: int, n: int) -> dict[str, float]:
    draws = torch.Generator().manual_seed(0)
    factors = torch.randint(0, 8, (n, 5), generator=draws)
    codes = torch.cat([factors, factors], 1).double()
    codes = codes + torch.randn(codes.shape, generator=draws, dtype=torch.float64)
    told = {}
    for name, ours, loop in (
        ("mig", mutual_information_gap, mig_by_loop),
        ("factor_vae", factor_vae_score, factor_vae_by_loop),
    ):
        times, values = race(
            rounds, ours=partial(ours, codes, factors), loop=partial(loop, codes.numpy(), factors.numpy())
        )
        assert abs(values["ours"] - values["loop"]) < 0.05, values
        told[f"{name}_vs_loop"] = ratio(times["ours"], times["loop"])
    return told


def everything() -> dict[str, float]:
    images = torch.randint(0, 256, (5000, 3, 32, 32), dtype=torch.uint8)
    start = time.perf_counter()
    fake = find_extractor("efficientnet-lite0", (3, 32, 32))(images)
    seconds = time.perf_counter() - start
    held_out, train = features(5000, 1280, seed=1), features(5000, 1280, seed=2)
    for measure in MEASURES:
        measure.run(Sets(fake, held_out, train))
    return {"features": seconds, "all": time.perf_counter() - start}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON only")
    parser.add_argument("--rounds", type=int, default=3, help="timed rounds of each competitor")
    parser.add_argument("--n", type=int, default=10_000, help="rows of features")
    parser.add_argument("--d", type=int, default=2048, help="features of the Fréchet distance")
    parser.add_argument("--threads", type=int, default=None, help="threads of torch")
    parser.add_argument("--alone", choices=["ours", "prdc"], help=argparse.SUPPRESS)
    if "--alone" in sys.argv:
        args = parser.parse_args()
        alone(args.alone, args.n)
        return
    args = quick.parse(parser, rounds=1, n=3000, d=512)
    if args.threads is not None:
        torch.set_num_threads(args.threads)
    told = {**frechet(args.rounds, args.n, args.d), **neighbours(args.rounds, args.n), **small(args.rounds)}
    told |= disentanglement(args.rounds, args.n)
    if not args.quick:
        told |= everything()
    ratios = {k: v for k, v in told.items() if "_vs_" in k}
    result = {"name": "metrics", "ratios": ratios, "measured": told, "threads": torch.get_num_threads()}
    result |= args.machine
    if args.json:
        print(json.dumps(result))
        return
    print("\n".join(f"{k:<32} {v:.4g}" for k, v in told.items()))


if __name__ == "__main__":
    main()
