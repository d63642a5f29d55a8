"""An experiment whose cells cost nothing, and do what the environment says: sleep, fail, die, log."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from pushforward.experiments.harness.experiment import Cell, Claim, Experiment, Figure, Published

MODULE = __name__


def cells(budget, seeds):
    options = {"scale": {"quick": 1, "full": 2}[budget]}
    return [Cell("coin", side, seed, options) for side in ("heads", "tails") for seed in seeds]


def run(cell):
    if "TOY_LOG" in os.environ:
        with Path(os.environ["TOY_LOG"]).open("a") as log:
            log.write(f"{cell.label}\n")
    if os.environ.get("TOY_SLOW") == cell.label:
        time.sleep(60)
    if os.environ.get("TOY_FAIL") == cell.label:
        raise ValueError("it fell\non its edge")
    if os.environ.get("TOY_DIE") == cell.label:
        os.kill(os.getpid(), signal.SIGKILL)
    if os.environ.get("TOY_NAN") == cell.label:
        return {"score": float("nan")}
    print("what a cell prints does not reach the user")
    return {"score": 10 * cell.options["scale"] + cell.seed, "threads": float(os.environ["OMP_NUM_THREADS"])}


def plot(results):
    from matplotlib.figure import Figure as Plot

    drawn = Plot(figsize=(2, 2))
    drawn.subplots().plot(results.all("score"))
    return drawn


EXPERIMENT = Experiment(
    name="toy",
    title="A coin has two sides",
    about="Tails are worth as much as heads.",
    source="Nobody 2000",
    cells=cells,
    run=run,
    figures={"score": Figure("points"), "threads": Figure()},
    claims=lambda budget: [
        Claim(
            "heads score enough",
            lambda results: results.mean("score", "coin", "heads"),
            ">=",
            float(os.environ.get("TOY_BOUND", "1")),
        ),
        Claim(
            "tails reach the paper's score",
            lambda results: results.mean("score", "coin", "tails"),
            ">=",
            99.0,
            required=False,
        ),
    ],
    published={("coin", "tails", "score"): Published(99.0, "Table 3")},
    plot=plot,
)
