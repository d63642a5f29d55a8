"""Time steps of CycleGAN and CUT: against a bare PyTorch loop, each other, and a naive critic, interleaved.

    OMP_NUM_THREADS=1 python benchmarks/translation_step.py [--json] [--rounds 9] [--width 64] [--batches 1 8]

Images of 1 x 64 x 64 between mnist5k and digits. Ours is the library's whole path: recipe, stream, trainer.
`bare` has the same networks, losses, pools and Adam in a loop of its own, on images that are ready as floats.
`cyclegan_vs_bare`, `cut_vs_cyclegan` (goal: at most 0.6) and `fastcut_vs_cyclegan` are of whole steps;
`dag_vs_passes` is of the critic's gradient with DAG's three rotations: one pass of the trunk for all, against
a pass for each head and each side. Processor time, so that a shared machine matters less. Ratios are medians
over rounds, of turns of `--repeats` steps; under 1 is faster.
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
import torch.nn.functional as F
from method_step import seconds_a_step
from torch import Tensor

from pushforward.algorithms.adversarial import critic_terms
from pushforward.algorithms.cyclegan import Pool
from pushforward.core import Clock
from pushforward.data import Dataset, Stream, load_splits
from pushforward.methods import recipe_class
from pushforward.networks.translation import TranslationGenerator, patch_critic
from pushforward.objectives.adversarial import least_squares_critic
from pushforward.recipes.cyclegan import CycleGANRecipe
from pushforward.recipes.presets import PRESETS
from pushforward.training.loop import Trainer
from pushforward.training.settings import LoopSettings

SHAPE = (1, 64, 64)
Steps = Callable[[int], None]
OURS: dict[str, tuple[str, dict[str, Any]]] = {
    "cyclegan": ("cyclegan", {}),
    "cut": ("cut", {}),
    "fastcut": ("cut", dict(PRESETS["cut", "fastcut"].options)),
}
AGAINST = {
    "cyclegan_vs_bare": ("cyclegan", "bare"),
    "cut_vs_cyclegan": ("cut", "cyclegan"),
    "fastcut_vs_cyclegan": ("fastcut", "cyclegan"),
    "dag_vs_passes": ("dag", "passes"),
}


def ours(name: str, data: dict[str, Dataset], width: int, batch: int, folder: Path) -> Steps:
    """Steps of a method by the library's whole path, from seed 0."""
    method, options = OURS[name]
    torch.manual_seed(0)
    recipe = recipe_class(method)(width=width, critic_width=width, **options)
    algorithm = recipe.build(a=SHAPE, b=SHAPE).train()
    settings = LoopSettings(checkpoint_every=0)
    stream = Stream(data, batch_size=batch, seed=0)
    trainer = Trainer(algorithm, stream, folder, steps=10**9, settings=settings)

    def run(n: int) -> None:
        for _ in range(n):
            trainer.one_step()
        trainer.flush()

    return run


def bare(data: dict[str, Dataset], width: int, batch: int) -> Steps:
    """CycleGAN's arithmetic as a script has it: to b with `g[0]`, to a with `g[1]`."""
    torch.manual_seed(0)
    x = [data[name].x.float() / 127.5 - 1 for name in ("a", "b")]
    g = [TranslationGenerator(1, width=width, blocks=6) for _ in range(2)]
    d = [patch_critic(SHAPE, width=width) for _ in range(2)]
    pools = [Pool(50, SHAPE) for _ in range(2)]
    move = [
        torch.optim.Adam([p for m in pair for p in m.parameters()], lr=2e-4, betas=(0.5, 0.999), fused=True)
        for pair in (g, d)
    ]

    def generators(real: list[Tensor], fake: list[Tensor]) -> Tensor:
        loss = torch.zeros(())
        for i, other in ((0, 1), (1, 0)):  # fake[i] is of the domain of real[other]
            loss = loss + (d[i](fake[i]) - 1).square().mean()
            loss = loss + 10 * F.l1_loss(g[other](fake[i]), real[i])
            loss = loss + 5 * F.l1_loss(g[i](real[other]), real[other])
        return loss

    def run(n: int) -> None:
        for _ in range(n):
            real = [domain[torch.randint(len(domain), (batch,))] for domain in x]
            fake = [g[i](real[i]) for i in range(2)]
            weights = [p for m in g for p in m.parameters()]
            found = torch.autograd.grad(generators(real, fake), weights)
            for p, gradient in zip(weights, found, strict=True):
                p.grad = gradient
            move[0].step()
            move[1].zero_grad()
            for i in range(2):
                least_squares_critic(d[i](real[1 - i]), d[i](pools[i](fake[i]))).backward()
            move[1].step()

    return run


def critics(data: dict[str, Dataset], width: int, batch: int) -> dict[str, Steps]:
    """The gradient of one critic with DAG, in one pass of its trunk, and in one for each head and side."""
    torch.manual_seed(0)
    recipe = CycleGANRecipe(width=width, critic_width=width, augment="dag")
    critic, clock = recipe.critic(SHAPE).train(), Clock(steps=10**9)
    real, fake = (data[name].x[:batch].float() / 127.5 - 1 for name in ("a", "b"))

    def together() -> Tensor:
        return critic_terms(critic(real, fake, clock), least_squares_critic)

    def apart() -> Tensor:
        total = torch.zeros(())
        for view in critic.views:
            head = view.head or critic.network.head
            scores = [head(critic.network.trunk(view(x, clock))) for x in (real, fake)]
            total = total + view.weight_critic * least_squares_critic(*scores)
        return total

    torch.testing.assert_close(together(), apart())  # the same arithmetic

    def repeated(loss: Callable[[], Tensor]) -> Steps:
        def run(n: int) -> None:
            for _ in range(n):
                critic.zero_grad()
                loss().backward()

        return run

    return {"dag": repeated(together), "passes": repeated(apart)}


def race(runs: dict[str, Steps], rounds: int, repeats: int) -> dict[str, list[float]]:
    """Seconds a step of each in each round, taking turns."""
    for run in runs.values():
        run(1)  # warm-up
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            times[name].append(seconds_a_step(run, repeats))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON only")
    parser.add_argument("--width", type=int, default=64, help="channels at the finest scale")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8], help="images a step")
    parser.add_argument("--rounds", type=int, default=9, help="timed rounds of each contender")
    parser.add_argument("--repeats", type=int, default=3, help="steps of a turn")
    args = quick.parse(parser, rounds=3, repeats=1, width=16)
    data = {n: load_splits(x, image_size=64).train for n, x in (("a", "mnist5k"), ("b", "digits"))}
    rows: list[dict[str, Any]] = []
    ratios: dict[str, float] = {}
    for batch in args.batches:
        with tempfile.TemporaryDirectory() as folder:
            runs = {name: ours(name, data, args.width, batch, Path(folder)) for name in OURS}
            runs |= {"bare": bare(data, args.width, batch), **critics(data, args.width, batch)}
            times = race(runs, args.rounds, args.repeats)
        for name, t in times.items():
            rows.append({"batch": batch, "what": name, "ms_per_step": round(1e3 * statistics.median(t), 2)})
        for label, (one, other) in AGAINST.items():
            pairs = zip(times[one], times[other], strict=True)
            ratios[f"{label}_{batch}"] = round(statistics.median(a / b for a, b in pairs), 3)
    if args.json:
        result = {"name": "translation_step", "ratios": ratios, "rows": rows}
        print(json.dumps(result | {"threads": torch.get_num_threads()} | args.machine))
        return
    for row in rows:
        print(f"batch {row['batch']:<3} {row['what']:<10} {row['ms_per_step']:9.2f} ms/step")
    for name, value in ratios.items():
        print(f"{name:<24} {value:.3f}")


if __name__ == "__main__":
    main()
