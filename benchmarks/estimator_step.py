"""Time a VAE's training step by estimator against the pathwise one, interleaved, on the same networks.

    python benchmarks/estimator_step.py [--json] [--rounds 9] [--steps 50] [--threads N]

The model is the 784-512-16 MLP with a Bernoulli decoder, batches of 100, fp32, on mnist5k; each competitor is
the trainer's whole step: data, forward, backward, Adam. "rloo-8" is the score function with 8 draws an image,
decoded in one batch. "rloo-8, decoder of 1" decodes them all too, but moves the decoder by one of them
(--decoder-samples 1), as the pathwise step does; "rloo-8, encoder alone" leaves the decoder where it is.
"rloo-8, one by one" decodes its draws in a loop. Ratios are of times, the competitor's over the pathwise
step's, per round, as medians; under 1 is faster. `loop` is the batched step's time over the looped one's.
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

from pushforward.algorithms.estimator_vae import EstimatorVAE
from pushforward.data import Dataset, Stream, load_splits
from pushforward.recipes.estimator_vae import EstimatorVAERecipe
from pushforward.training.loop import Trainer
from pushforward.training.settings import LoopSettings

BATCH, HIDDEN, LATENT, DRAWS = 100, 512, 16, 8
Steps = Callable[[int], None]


def recipe(**options: object) -> EstimatorVAERecipe:
    common = {"likelihood": "bernoulli", "hidden": (HIDDEN,), "latent_dim": LATENT}
    return EstimatorVAERecipe(**{**common, **options})  # type: ignore[arg-type]


def stepping(algorithm: torch.nn.Module, images: Dataset, folder: Path) -> Steps:
    stream = Stream({"data": images}, batch_size=BATCH, seed=0)
    trainer = Trainer(algorithm, stream, folder, steps=10**9, settings=LoopSettings(checkpoint_every=0))

    def steps(n: int) -> None:
        for _ in range(n):
            trainer.one_step()
        trainer.flush()

    return steps


def looped(model: EstimatorVAE) -> EstimatorVAE:
    batched = model.log_likelihood
    model.log_likelihood = lambda z, x: torch.cat([batched(one, x) for one in z.split(1)])  # type: ignore
    return model


def encoder_alone(model: EstimatorVAE) -> EstimatorVAE:
    model.decoder.requires_grad_(False)
    return model


def race(competitors: dict[str, Steps], rounds: int, steps: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in competitors}
    for run in competitors.values():  # warm-up
        run(steps)
    for _ in range(rounds):
        for name, run in competitors.items():
            start = time.perf_counter()
            run(steps)
            times[name].append((time.perf_counter() - start) / steps)
    return times


def ratio(a: list[float], b: list[float]) -> float:
    return round(statistics.median(x / y for x, y in zip(a, b, strict=True)), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON only")
    parser.add_argument("--rounds", type=int, default=9, help="timed rounds of each competitor")
    parser.add_argument("--steps", type=int, default=50, help="steps a round")
    parser.add_argument("--threads", type=int, default=None, help="threads of torch")
    args = quick.parse(parser, rounds=3, steps=15)
    if args.threads is not None:
        torch.set_num_threads(args.threads)
    images = load_splits("mnist5k").train
    rloo = {"estimator": "rloo", "samples": DRAWS}
    models = {
        "pathwise": recipe(),
        "rloo-8": recipe(**rloo),
        "rloo-8, decoder of 1": recipe(decoder_samples=1, **rloo),
        "rloo-8, encoder alone": recipe(**rloo),
        "rloo-8, one by one": recipe(**rloo),
        "gumbel-softmax, 16 bits": recipe(latent="bernoulli"),
        "rloo-8, 16 bits": recipe(latent="bernoulli", **rloo),
    }
    change = {"rloo-8, encoder alone": encoder_alone, "rloo-8, one by one": looped}
    with tempfile.TemporaryDirectory() as temporary:
        competitors = {
            name: stepping(change.get(name, lambda m: m)(r.build(images.shape)), images, Path(temporary))
            for name, r in models.items()
        }
        times = race(competitors, args.rounds, args.steps)
    ratios = {f"{name} vs pathwise": ratio(t, times["pathwise"]) for name, t in times.items()}
    del ratios["pathwise vs pathwise"]
    ratios["loop"] = ratio(times["rloo-8"], times["rloo-8, one by one"])
    rows = [{"method": n, "ms_per_step": round(1e3 * statistics.median(t), 4)} for n, t in times.items()]
    result = {"name": "estimator_step", "ratios": ratios, "rows": rows, "threads": torch.get_num_threads()}
    result |= args.machine
    if args.json:
        print(json.dumps(result))
        return
    for row in rows:
        print(f"{row['method']:<26} {row['ms_per_step']:7.2f} ms/step")
    print("\n".join(f"{k:<40} {v:.3f}" for k, v in ratios.items()))


if __name__ == "__main__":
    main()
