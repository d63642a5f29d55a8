"""Rectifiers that die in a generator, and what becomes of its samples.

A. L. Maas, A. Y. Hannun and A. Y. Ng, *Rectifier Nonlinearities Improve Neural Network Acoustic Models*, ICML
2013; the method is Y. Huang et al., *The GAN is dead; long live the GAN!*, NeurIPS 2024.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn

from pushforward.algorithms.adversarial import AdversarialModel
from pushforward.data import Dataset, Stream, load_splits
from pushforward.diagnostics.dead_units import watched
from pushforward.experiments.harness.experiment import Budget, Cell, Claim, Experiment, Figure, Results, Row
from pushforward.experiments.harness.summary import seed_rows
from pushforward.metrics.modes import mode_statistics
from pushforward.metrics.sliced import sliced_wasserstein
from pushforward.recipes.gan import R3GANRecipe
from pushforward.training.fit import fitting

SLOPES = {"ReLU": 0.0, "LeakyReLU(0.2)": 0.2}
RELU, LEAKY = SLOPES
ORACLE = "held-out points"
RATES, BIASES = (1e-3, 1e-2, 3e-2), (0.0, -1.0, -3.0)
MILD, FAST, HARSH = (1e-3, 0.0), (3e-2, 0.0), (3e-2, -3.0)
HIDDEN = (64, 64)
BATCH, PROBES, SAMPLES, SHOWN = 128, 4000, 2500, 200
SCORE, MODES, SILENT = "sliced W₁", "modes", tuple(f"silent, layer {i + 1}" for i in range(len(HIDDEN)))
MOMENTS = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0)  # shares of the run at which to look
ABOUT = f"""\
A unit whose input is below zero for every z passes no gradient, in a ReLU: it stays as it is until others
below it move. A generator has no other signal than the critic's gradient, so a layer without a living unit
ends its training; only the biases above it move. LeakyReLU keeps a slope, and with it the gradient.

Generators of {len(HIDDEN)} layers of {HIDDEN[0]} units learn `ring`, with the generator's rate and the first
biases of its hidden layers as in the table; the rest is the same for all: R3GAN (γ = 0.1, rates falling to
1 % along a cosine), the critic's rate 0.001, batches of {BATCH}. It is R3GAN, since a plain GAN at a rate of
0.01 does not settle with either rectifier and so says nothing of them. *Silent* is the share of units that
none of {PROBES:,} fixed z switches on: in a ReLU network they are dead, in a leaky one they still learn. The
score is the sliced W₁ of {SAMPLES:,} samples to held-out points; the first row has that of two sets of such
points.

Mild and harsh are two corners of the table. A dead layer that learns on at the harsh one, or a leaky
generator that stays where a dying one does, would refute this. Dead units alone do not have to hurt: where
enough of a layer lives on, the samples may be as good.
"""


def label(rate: float, bias: float) -> str:
    """The setting of a generator's rate and first biases."""
    return f"rate {rate:g}, bias {bias:g}"


def at(name: str, moment: float) -> str:
    """The figure of a moment of the run."""
    return f"{name} at {moment:.0%}"


def place(axis: str, i: int) -> str:
    """The figure of a coordinate of the i-th sample that is shown."""
    return f"{axis} of sample {i}"


def cells(budget: Budget, seeds: Sequence[int]) -> list[Cell]:
    """Both rectifiers at every rate and bias, and the score of the data themselves."""
    steps = {"quick": 1200, "full": 6000}[budget]
    plan = [Cell(ORACLE, "", seed) for seed in seeds]
    return plan + [
        Cell(method, label(rate, bias), seed, {"slope": slope, "rate": rate, "bias": bias, "steps": steps})
        for rate in RATES
        for bias in BIASES
        for method, slope in SLOPES.items()
        for seed in seeds
    ]


def run(cell: Cell) -> dict[str, float]:
    """Train, and look at fixed z at each moment; of seed 0 also where some samples lie in the end."""
    splits = load_splits("ring")
    if cell.method == ORACLE:
        order = torch.randperm(len(splits.test), generator=torch.Generator().manual_seed(cell.seed))
        two = splits.test.x[order[: 2 * SAMPLES]].split(SAMPLES)
        return {SCORE: sliced_wasserstein(*two)}
    model = initial_model(cell)
    z = torch.randn(PROBES, model.latent_dim, generator=torch.Generator().manual_seed(cell.seed))
    moments = {round(moment * cell.options["steps"]): moment for moment in MOMENTS}
    figures: dict[str, float] = {}
    for step in train(model, splits.train, cell):
        if step in moments:
            seen, x = _look(model, z, splits.test)
            figures |= seen | {at(name, moments[step]): value for name, value in seen.items()}
    modes = splits.train.modes
    assert modes is not None
    counted = mode_statistics(x[:SAMPLES], torch.from_numpy(modes.centres), radius=modes.radius)
    figures[MODES] = float(counted.found)
    if cell.seed == 0:
        points = x[:SHOWN].tolist()
        figures |= {place(a, i): v for i, xy in enumerate(points) for a, v in zip("xy", xy, strict=True)}
    return figures


def initial_model(cell: Cell) -> AdversarialModel:
    """A model whose generator has the cell's slope and hidden biases."""
    torch.manual_seed(cell.seed)
    recipe = R3GANRecipe(
        latent_dim=2,
        network="mlp",
        hidden=HIDDEN,
        slope=cell.options["slope"],
        lr=1e-3,
        lr_end=0.01,
        gamma=0.1,
    )
    model: AdversarialModel = recipe.build((2,))
    *hidden, _ = (layer for layer in model.generator.modules() if isinstance(layer, nn.Linear))
    for layer in hidden:
        nn.init.constant_(layer.bias, cell.options["bias"])
    return model


def train(model: AdversarialModel, points: Dataset, cell: Cell) -> Iterator[int]:
    """Take the steps; yields the number of those behind, from 0 to all."""
    players = model.players()
    players["generator"] = replace(players["generator"], lr=cell.options["rate"])
    draw = Stream({"data": points}, batch_size=BATCH, seed=cell.seed)
    yield 0
    for _ in fitting(model, draw, cell.options["steps"], players=players):
        yield model.clock.step


@torch.no_grad()
def _look(model: AdversarialModel, z: Tensor, held_out: Dataset) -> tuple[dict[str, float], Tensor]:
    with watched(model.generator) as layers:
        x = model.decode(z)
    silent = dict(zip(SILENT, (layer.share for layer in layers.values()), strict=True))
    return {SCORE: sliced_wasserstein(x[:SAMPLES], held_out.x[:SAMPLES]), **silent}, x


def rows(results: Results) -> list[Row]:
    """The end of each run; the moments before it and the samples are for the picture."""
    shown = {SCORE, MODES, *SILENT}
    return [row for row in seed_rows(EXPERIMENT, results) if row.figure in shown]


def _worst(results: Results, method: str, setting: tuple[float, float]) -> list[float]:
    """Of each seed, the share of silent units in the layer that has most."""
    layers = [results.values(name, method, label(*setting)) for name in SILENT]
    return [max(shares) for shares in zip(*layers, strict=True)]


def _late(results: Results, method: str, setting: tuple[float, float]) -> list[float]:
    """Of each seed, the score in the end as a multiple of that at a quarter of the run."""
    name = label(*setting)
    end, quarter = results.values(SCORE, method, name), results.values(at(SCORE, 0.25), method, name)
    return [b / a for a, b in zip(quarter, end, strict=True)]


def claims(budget: Budget) -> list[Claim]:
    """Mild: both work. Harsh: ReLU is dead and stays where it is, LeakyReLU wakes up."""
    mild, harsh = label(*MILD), label(*HARSH)
    return [
        Claim(
            f"control: at {mild} both come within 0.15 of the data",
            lambda r: max(r.mean(SCORE, method, mild) for method in SLOPES),
            "<=",
            0.15,
        ),
        Claim(
            f"control: there no layer of the ReLU generator loses a fifth, on any seed ({mild})",
            lambda r: max(_worst(r, RELU, MILD)),
            "<=",
            0.2,
        ),
        Claim(
            f"ReLU, {harsh}: a whole layer is dead in the end, on every seed",
            lambda r: min(_worst(r, RELU, HARSH)),
            ">=",
            1.0,
        ),
        Claim(
            f"ReLU, {harsh}: from a quarter of the run on the score does not improve by a tenth, on any seed",
            lambda r: min(_late(r, RELU, HARSH)),
            ">=",
            0.9,
        ),
        Claim(
            f"LeakyReLU, {harsh}: from there it improves by at least a tenth, on every seed",
            lambda r: max(_late(r, LEAKY, HARSH)),
            "<=",
            0.9,
        ),
        Claim(
            f"LeakyReLU, {harsh}: the distance left is at most 0.3 of ReLU's",
            lambda r: r.mean(SCORE, LEAKY, harsh) / r.mean(SCORE, RELU, harsh),
            "<=",
            0.3,
        ),
        Claim(
            "LeakyReLU: units of the second layer that were silent at first are not in the end, as a change",
            lambda r: r.mean(SILENT[1], LEAKY, harsh) - r.mean(at(SILENT[1], 0), LEAKY, harsh),
            "<=",
            -0.5,
        ),
        Claim(
            "a high rate kills by itself: ReLU's silent share grows with it from bias 0, by",
            lambda r: fmean(_worst(r, RELU, FAST)) - fmean(_worst(r, RELU, MILD)),
            ">=",
            0.2,
        ),
    ]


def plot(results: Results) -> Any:
    """Silent units over the run, and the samples in the end, at three settings."""
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(8, 8), layout="constrained")
    columns = canvas.subplots(3, 3, gridspec_kw={"height_ratios": (0.8, 1, 1)}).T
    for (top, *below), setting in zip(columns, (MILD, FAST, HARSH), strict=True):
        name = label(*setting)
        for method, colour in zip(SLOPES, ("C3", "C0"), strict=True):
            for figure, style in zip(SILENT, ("-", "--"), strict=True):
                shares = [100 * results.mean(at(figure, m), method, name) for m in MOMENTS]
                line = f"{method}, {figure.removeprefix('silent, ')}"
                top.plot([100 * m for m in MOMENTS], shares, style, color=colour, label=line)
        top.set(title=name, xlabel="% of the run", ylim=(-4, 104))
        for axes, method, colour in zip(below, SLOPES, ("C3", "C0"), strict=True):
            x, y = ([results.values(place(a, i), method, name)[0] for i in range(SHOWN)] for a in "xy")
            axes.plot(x, y, ".", color=colour, markersize=3, alpha=0.5)
            axes.set(title=f"{method}, seed 0", aspect="equal", xlim=(-1.6, 1.6), ylim=(-1.6, 1.6))
    columns[0][0].set_ylabel("silent units, %")
    columns[0][0].legend(frameon=False, fontsize="x-small")
    return canvas


EXPERIMENT = Experiment(
    name="dying-relu",
    title="ReLU units of a generator die and its samples with them; leaky ones wake up",
    about=ABOUT,
    source="Maas et al. 2013",
    cells=cells,
    run=run,
    figures={
        **dict.fromkeys((SCORE, MODES, *SILENT), Figure()),
        **{at(name, moment): Figure() for name in (SCORE, *SILENT) for moment in MOMENTS},
        **{place(axis, i): Figure() for i in range(SHOWN) for axis in "xy"},
    },
    claims=claims,
    rows=rows,
    plot=plot,
)
