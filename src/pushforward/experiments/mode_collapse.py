"""Every remedy for mode collapse under one loop, on mixtures whose modes can be counted.

A. Srivastava et al., *VEEGAN*, NeurIPS 2017, Table 1; Z. Lin et al., *PacGAN*, NeurIPS 2018, Table 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pushforward.experiments.harness.experiment import (
    Budget,
    Cell,
    Claim,
    Experiment,
    FigureKey,
    Published,
    Results,
)
from pushforward.experiments.mixtures import FIGURES, MODES, ORACLE, QUALITY, REVERSE_KL, run

ADAGAN, IMLE = "AdaGAN", "RS-IMLE"
UNROLLED, SLOW_CRITIC = "Unrolled, 5 steps", "Unrolled, 5 steps, slow critic"
VEEGANS, PACGANS = "VEEGAN's setting", "PacGAN's setting"
TOYS = {"ring": 8, "grid": 25, "gaussians-1200d": 10}  # and their modes

# What each is, beside the setting that all share. Methods keep their papers' betas, critic steps and weights.
METHODS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "GAN": ("gan", {}),
    "GAN, minimax": ("gan-minimax", {}),
    "LSGAN": ("lsgan", {}),
    "WGAN": ("wgan", {}),
    "WGAN-GP": ("wgan-gp", {}),
    UNROLLED: ("unrolled", {"unroll": 5}),
    SLOW_CRITIC: ("unrolled", {"unroll": 5}),
    "Unrolled, 5 steps, first order": ("unrolled", {"unroll": 5, "first_order": True}),
    "VEEGAN": ("veegan", {}),
    "PacGAN2": ("pacgan", {"pack": 2}),
    "PacGAN4": ("pacgan", {"pack": 4}),
    "GAN, instance noise": ("gan", {"noise": 0.5}),
    "R3GAN": ("r3gan", {"gamma": 0.1}),
    IMLE: ("rs-imle", {"batches_per_pool": 1, "lr_schedule": "cosine"}),
    ADAGAN: ("gan", {}),
}
RATES = {SLOW_CRITIC: {"critic": 1e-4}}  # a tenth of the generator's, as in the code of Metz et al. 2017
QUICK = (
    "GAN",
    "WGAN-GP",
    UNROLLED,
    SLOW_CRITIC,
    "VEEGAN",
    "PacGAN2",
    "GAN, instance noise",
    "R3GAN",
    ADAGAN,
)
SHARED: dict[str, Any] = {"latent_dim": 2, "hidden": [128, 128, 128], "lr": 1e-3}
PAPERS: Mapping[str, dict[str, Any]] = {
    VEEGANS: {
        "methods": ("GAN", UNROLLED, "VEEGAN"),
        "toys": ("ring", "grid", "gaussians-1200d"),
        "options": {"latent_dim": 254, "hidden": [128, 128], "critic_hidden": [128], "lr": 1e-3},
        "steps": 100_000,
        "batch": 500,
    },
    PACGANS: {
        "methods": ("GAN", "PacGAN2", "PacGAN4"),
        "toys": ("ring", "grid"),
        "options": {
            "network": "maxout",
            "latent_dim": 2,
            "hidden": [400, 400, 400, 400],
            "critic_hidden": [200, 200, 200],
            "generator_norm": "batch",
            "init_std": 0.02,
            "lr": 1e-4,
            "beta1": 0.8,
        },
        "steps": 400_000,
        "batch": 100,
    },
}
STEPS = {"quick": 4000, "full": 25_000}
BATCH = 256
COMPONENTS = 5  # of the ensemble, each trained like a single model
ABOUT = f"""\
How many modes a generator finds, and how well, when networks, data, steps and batches are the same and only
the remedy differs. 2,500 samples; a mode is found if it is the nearest of a sample within 3σ of it, a
sample is of high quality within 3σ of the nearest mode, and the reverse KL compares the histogram over
nearest modes with the data's. The perfect sampler is the mixture itself: within 3σ lie 98.9 % of a Gaussian
in the plane.

The setting that all share: z of 2 dimensions, 3 layers of 128 units (ReLU in the generator but for R3GAN,
whose paper has LeakyReLU; LeakyReLU in the critic), rate 0.001, batches of {BATCH}; {STEPS["quick"]:,}
generator steps (quick) or {STEPS["full"]:,} (full). Each method keeps what its own paper fixes: betas,
critic steps, weights of penalties, a falling rate. Instance noise starts at σ = 0.5 and falls to 0. Each of
AdaGAN's {COMPONENTS} components is trained as a single GAN is. So costs differ: WGAN-GP takes 5 critic
steps for one of the generator, and the unrolled GAN looks 5 ahead. RS-IMLE (full) has no critic: each datum
draws its nearest sample to it, so no mode can be left out. Its pool of samples is drawn anew for each batch,
and its rate falls along a cosine.

The papers' figures beside ours were measured in their settings, not in this one; the full budget has these
settings as rows of their own. PacGAN's spreads are standard errors, ours standard deviations.
"""


def cells(budget: Budget, seeds: Sequence[int]) -> list[Cell]:
    """The setting that all share; in full also each paper's own."""
    chosen = QUICK if budget == "quick" else tuple(METHODS)
    toys = ("ring", "grid") if budget == "quick" else tuple(TOYS)
    plan = [Cell(ORACLE, toy, seed, {"toy": toy}) for toy in toys for seed in seeds]
    for toy in toys:
        for label in chosen:
            method, own = METHODS[label]
            size = {"steps": STEPS[budget], "batch": BATCH}
            asked = {"toy": toy, "method": method, "options": {**SHARED, **_own(method, own)}, **size}
            if label in RATES:
                asked["rates"] = RATES[label]
            if label == ADAGAN:
                asked["components"] = COMPONENTS
            plan += [Cell(label, toy, seed, asked) for seed in seeds]
    return plan if budget == "quick" else plan + _paper_cells(seeds)


def _own(method: str, own: Mapping[str, Any]) -> dict[str, Any]:
    """WGAN keeps its rate: RMSProp with clipped weights does not take Adam's."""
    return {"lr": 2e-4, **own} if method == "wgan" else dict(own)


def _paper_cells(seeds: Sequence[int]) -> list[Cell]:
    plan = []
    for setting, paper in PAPERS.items():
        for toy in paper["toys"]:
            for label in paper["methods"]:
                method, own = METHODS[label]
                asked = {
                    "toy": toy,
                    "method": method,
                    "options": {**paper["options"], **own},
                    "steps": paper["steps"],
                    "batch": paper["batch"],
                }
                plan += [Cell(label, f"{toy}, {setting}", seed, asked) for seed in seeds]
    return plan


VEEGAN_TABLE, PACGAN_TABLE = "Srivastava et al. 2017, Table 1", "Lin et al. 2018, Table 1"
# (method, toy): modes and per cent of high quality.
VEEGAN_FIGURES = {
    ("GAN", "ring"): (1, 99.3),
    ("GAN", "grid"): (3.3, 0.5),
    ("GAN", "gaussians-1200d"): (1.6, 2.0),
    (UNROLLED, "ring"): (7.6, 35.6),
    (UNROLLED, "grid"): (23.6, 16),
    (UNROLLED, "gaussians-1200d"): (0, 0),
    ("VEEGAN", "ring"): (8, 52.9),
    ("VEEGAN", "grid"): (24.6, 40),
    ("VEEGAN", "gaussians-1200d"): (5.5, 28.29),
}
# The same, and reverse KL in nats.
PACGAN_FIGURES = {
    ("GAN", "ring"): (6.3, 98.2, 0.45),
    ("GAN", "grid"): (17.3, 94.8, 0.70),
    ("PacGAN2", "ring"): (7.9, 95.6, 0.07),
    ("PacGAN2", "grid"): (23.8, 91.3, 0.13),
    ("PacGAN4", "ring"): (7.8, 95.9, 0.07),
    ("PacGAN4", "grid"): (24.8, 93.6, 0.04),
}


def published() -> dict[FigureKey, Published]:
    """Each paper's figures beside its own setting and the shared one; there PacGAN's where both have any."""
    found: dict[FigureKey, Published] = {}
    tables: list[tuple[str, str, Mapping[tuple[str, str], tuple[float, ...]]]] = [
        (VEEGANS, VEEGAN_TABLE, VEEGAN_FIGURES),
        (PACGANS, PACGAN_TABLE, PACGAN_FIGURES),
    ]
    for setting, table, figures in tables:
        for (method, toy), values in figures.items():
            for figure, value in zip(FIGURES, values, strict=False):
                found[method, f"{toy}, {setting}", figure] = Published(value, table)
                found[method, toy, figure] = Published(value, f"{table}, in its own setting")
    return found


def _share_found(results: Results, method: str) -> float:
    """The least share of modes over toys in the plane and seeds."""
    return min(min(results.values(MODES, method, toy)) / TOYS[toy] for toy in ("ring", "grid"))


def claims(budget: Budget) -> list[Claim]:
    """What a remedy has to do."""
    remedies = [label for label in (QUICK if budget == "quick" else tuple(METHODS)) if label != "GAN"]
    return [
        Claim(
            "control: the perfect sampler's share of high quality is a Gaussian's within 3σ, 98.9 %",
            lambda r: max(abs(v - 98.9) for toy in ("ring", "grid") for v in r.values(QUALITY, ORACLE, toy)),
            "<=",
            0.7,
        ),
        Claim("control: it finds every mode", lambda r: _share_found(r, ORACLE), ">=", 1.0),
        Claim(
            "some remedy finds every mode of ring and grid in every seed",
            lambda r: max(_share_found(r, remedy) for remedy in remedies),
            ">=",
            1.0,
        ),
        Claim(
            "grid: the plain GAN's reverse KL is at least twice the best remedy's",
            lambda r: (
                r.mean(REVERSE_KL, "GAN", "grid") / min(r.mean(REVERSE_KL, m, "grid") for m in remedies)
            ),
            ">=",
            2.0,
        ),
    ]


def plot(results: Results) -> Any:
    """A row a method, a column a figure, ring and grid in two colours; a dot a seed."""
    from matplotlib.figure import Figure as Canvas

    labels = list(dict.fromkeys(cell.method for cell in results.figures))
    units = {MODES: "share of modes found", QUALITY: "high quality, %", REVERSE_KL: "reverse KL, nats"}
    canvas = Canvas(figsize=(11, 0.42 * len(labels) + 1.4), layout="constrained")
    axes = canvas.subplots(1, 3, sharey=True)
    for axis, figure in zip(axes, FIGURES, strict=True):
        for offset, (toy, colour) in enumerate((("ring", "#0b6e99"), ("grid", "#d9730d"))):
            for y, label in enumerate(labels):
                values = results.values(figure, label, toy)
                scaled = [v / TOYS[toy] for v in values] if figure == MODES else values
                height = [y - 0.13 + 0.26 * offset] * len(values)
                axis.plot(scaled, height, "o", ms=5, alpha=0.75, color=colour, label=toy if y == 0 else None)
        axis.set_xlabel(units[figure])
        axis.grid(axis="x", color="#e6e6e6")
        axis.spines[["top", "right", "left"]].set_visible(False)
        axis.tick_params(axis="y", length=0)
    axes[0].set_yticks(range(len(labels)), labels)
    axes[0].invert_yaxis()
    axes[0].set_xlim(-0.03, 1.05)
    axes[1].set_xlim(-3, 103)
    axes[2].set_xlim(left=-0.02)
    axes[2].legend(frameon=False, loc="lower right")
    return canvas


EXPERIMENT = Experiment(
    name="mode-collapse",
    title="Remedies for mode collapse, side by side under one loop",
    about=ABOUT,
    source="Srivastava et al. 2017, Table 1; Lin et al. 2018, Table 1",
    cells=cells,
    run=run,
    figures=FIGURES,
    claims=claims,
    published=published(),
    seeds={"quick": 3, "full": 10},
    plot=plot,
)
