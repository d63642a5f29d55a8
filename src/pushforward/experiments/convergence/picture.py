"""Trajectories over the vector fields, distances over time, and how the eigenvalues move."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from pushforward.experiments.convergence import CLIP, GAMES, RATIO, H
from pushforward.experiments.convergence.games import Game
from pushforward.experiments.convergence.simulate import How, Point, distance, play

STYLES: dict[How, tuple[str, str]] = {
    "flow": ("#555555", "flow"),
    "simultaneous": ("#d62728", "simultaneous"),
    "alternating": ("#1f77b4", "alternating"),
}
SHOWN_H = 0.2  # a larger step than the runs', so that the three ways part within a few turns
START: Point = (1.0, 0.35)
PANELS = {
    "GAN": "f'(0) = ½: circles",
    "GAN, −ln D": "circles inwards, ever slower",
    "WGAN": "f'(0) = 1: circles",
    "WGAN, clipped": f"clip {CLIP:g}: the circle of the clip",
    "GAN, two time scales": f"k = {RATIO:g}: an ellipse",
    "GAN, noise": "σ = 1: converges",
    "GAN, R1": "γ = ½: converges",
    "GAN, R1, two time scales": f"γ = ½, k = {RATIO:g}: converges faster",
    "WGAN, R1": "γ = ½: converges",
    "WGAN-GP, λ = 0.5": "ends on a cycle",
}
OVER_TIME = ("GAN", "GAN, −ln D", "WGAN-GP, λ = 0.5", "GAN, two time scales", "GAN, R1", "GAN, noise")
DURATION = 25.0
LONG = 400.0


def draw() -> Any:
    """Ten games, then distances over time and eigenvalues in the plane."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(17, 10.2), layout="constrained")
    axes = figure.subplots(3, 5, height_ratios=[1, 1, 1.05])
    for ax, (name, text) in zip(axes[:2].flat, PANELS.items(), strict=True):
        _trajectories(ax, GAMES[name])
        ax.set_title(f"{name}\n{text}", fontsize=10)
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(STYLES), frameon=False
    )
    grid = axes[2, 0].get_gridspec()
    for ax in axes[2]:
        ax.remove()
    lower = grid[2, :].subgridspec(1, 4)
    _over_time(figure.add_subplot(lower[0]), "alternating")
    _over_time(figure.add_subplot(lower[1]), "simultaneous", legend=False)
    _plane(figure.add_subplot(lower[2]))
    _step_limit(figure.add_subplot(lower[3]))
    return figure


def _trajectories(ax: Any, game: Game) -> None:
    """The field as streamlines, k's part of it included, and one start played in three ways."""
    reach = 1.8 if game.ratio == 1 else 3.4
    psi, theta = np.meshgrid(np.linspace(-reach, reach, 31), np.linspace(-1.8, 1.8, 31), indexing="ij")
    ax.streamplot(
        theta,
        psi,
        game.generator(theta, psi),
        game.critic(theta, psi),
        density=0.5,
        color="#bbbbbb",
        linewidth=0.6,
        arrowsize=0.7,
    )
    for how, (colour, label) in STYLES.items():
        h = SHOWN_H if how != "flow" else SHOWN_H / 10
        path = play(game, how, START, h=h, steps=round(DURATION / h))
        ax.plot(*path[:: 5 if how == "flow" else 1].T, color=colour, lw=1.1, label=label)
    ax.plot(*START, "o", color="black", ms=5)
    ax.plot(0, 0, "+", color="black", ms=9)
    ax.set(xlim=(-1.8, 1.8), ylim=(-reach, reach), xlabel="θ", ylabel="ψ")


def _over_time(ax: Any, how: How, *, legend: bool = True) -> None:
    """Distance to the equilibrium; dotted: √(8/t), or √(2h) for simultaneous steps."""
    for name in OVER_TIME:
        path = play(GAMES[name], how, START, h=H, steps=round(LONG / H))
        r = np.maximum(distance(path, GAMES[name]), 1e-9)
        t = H * np.arange(len(r))
        shown = np.unique(np.geomspace(1, len(r) - 1, 150).astype(int))
        dashes = "--" if GAMES[name].noise else "-"  # σ = 1 and γ = ½ damp alike, one line on the other
        ax.plot(t[shown], r[shown], dashes, lw=1.5, label=name)
    if how == "alternating":
        late = np.geomspace(20, LONG, 20)
        ax.plot(late, np.sqrt(8 / late), ":", color="black", label="√(8/t)")
    else:
        ax.axhline(math.sqrt(2 * H), ls=":", color="black", label="√(2h)")
        ax.text(0.12, math.sqrt(2 * H) / 2.2, "√(2h)")
    ax.set(xscale="log", yscale="log", ylim=(1e-5, 20), xlabel="time", ylabel="distance to the equilibrium")
    ax.set_title(f"{how} steps, h = {H:g}", fontsize=10)
    if legend:
        ax.legend(fontsize=8, frameon=False, loc="lower left")


def _plane(ax: Any) -> None:
    """Eigenvalues of the field as γ, σ or k grow."""
    gammas = np.linspace(0, 1.3, 27)
    sweeps = {
        "R1, γ from 0": [replace(GAMES["GAN, R1"], r1=g) for g in gammas],
        f"the same, k = {RATIO:g}": [replace(GAMES["GAN, R1, two time scales"], r1=g) for g in gammas],
        "no R1, k from 1 to 10": [replace(GAMES["GAN"], ratio=k) for k in np.linspace(1, RATIO, 15)],
    }
    for (label, games), marker, size in zip(sweeps.items(), "ovs", (4, 4, 3), strict=True):
        values = np.array([game.eigenvalues() for game in games])
        ax.plot(values.real.ravel(), values.imag.ravel(), marker, ms=size, mfc="none", label=label)
    ax.axvline(0, color="black", lw=0.8)
    ax.set(xlim=(-4, 0.5), xlabel="real part: negative pulls in", ylabel="imaginary part: turns")
    ax.set_title("eigenvalues of the GAN's field", fontsize=10)
    ax.legend(fontsize=8, frameon=False, loc="upper left")


def _step_limit(ax: Any) -> None:
    """The largest modulus of a step's eigenvalues against its size."""
    steps = np.linspace(0.01, 4.2, 200)
    for name, colour in (("GAN", "#7f7f7f"), ("GAN, R1", "#2ca02c"), ("WGAN, R1", "#9467bd")):
        for alternating, dash in ((False, "--"), (True, "-")):
            largest = [max(map(abs, GAMES[name].step_eigenvalues(h, alternating=alternating))) for h in steps]
            label = f"{name}, {'alternating' if alternating else 'simultaneous'}"
            ax.plot(steps, largest, dash, color=colour, lw=1.4, label=label)
    ax.axhline(1, color="black", lw=0.8)
    ax.set(ylim=(0.2, 1.9), xlabel="step h", ylabel="largest |eigenvalue| of a step")
    ax.set_title("below 1 it converges", fontsize=10)
    ax.legend(fontsize=7.5, frameon=False, loc="lower right")
