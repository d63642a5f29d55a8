"""The cycle of collapse: a generator that hops from mode to mode, the critic after it.

L. Metz et al., *Unrolled Generative Adversarial Networks*, ICLR 2017, figure 2: at each look there are few
modes, and each time others. So one look sees a collapse, and only a history sees that none of the modes is
forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Int
from torch import Tensor

from pushforward.core import Finding
from pushforward.diagnostics.mode_collapse import effective_modes

WINDOW = 6  # histograms that are looked back upon
TURNOVER = 0.5  # of the samples move to other modes between two of them
FEW = 0.6  # of the modes at a time
GAIN = 1.5  # times as many modes over the window as at a time


@dataclass(frozen=True)
class Oscillation:
    """turnover: mean total variation of successive histograms, the share of samples that change modes, in [0,
    1].

    at_a_time: mean number of modes that a histogram spreads over (exp of its entropy); over_time: that of
    their mean. n: samples of a histogram, on average.
    """

    turnover: float
    at_a_time: float
    over_time: float
    modes: int
    n: float


def turnover(history: Sequence[Int[Tensor, " k"]]) -> float:
    """Mean over successive histograms of ½ Σ|p - q|; 0 for fewer than two. Empty histograms are left out."""
    shares = [h.double() / h.sum() for h in history if h.sum() > 0]
    if len(shares) < 2:
        return 0.0
    steps = [(q - p).abs().sum() / 2 for p, q in pairwise(shares)]
    return torch.stack(steps).mean().item()


def oscillation(history: Sequence[Int[Tensor, " k"]]) -> Oscillation | None:
    """Measure the last 6 histograms of samples over modes, oldest first; None for fewer that hold a
    sample."""
    window = [h for h in history if h.sum() > 0][-WINDOW:]
    if len(window) < WINDOW:
        return None
    shares = torch.stack([h.double() / h.sum() for h in window])
    spreads = [effective_modes(h) for h in window]
    scaled = (shares.mean(0) * 1e9).round().long()
    n = float(torch.stack([h.sum() for h in window]).double().mean())
    return Oscillation(
        turnover(window), sum(spreads) / len(spreads), effective_modes(scaled), len(window[0]), n
    )


def diagnose_oscillation(
    history: Sequence[Int[Tensor, " k"]], *, what: str = "modes", command: str = ""
) -> Finding | None:
    """A finding where half of the samples change modes from look to look, few modes at a time; else None.

    Samples of the data never do: their histogram's noise is a turnover of about sqrt((k - 1) / πn), 0.03 for
    8 modes and 2,500 samples, and they spread over all modes at a time. A collapse that stays has no
    turnover.
    """
    seen = oscillation(history)
    if seen is None or seen.turnover < TURNOVER or seen.at_a_time > FEW * seen.modes:
        return None
    if seen.over_time < GAIN * seen.at_a_time:
        return None
    return Finding(
        name="mode-oscillation",
        severity="warning",
        confidence=round(min(0.95, seen.turnover), 2),
        evidence=f"from one look to the next {seen.turnover:.0%} of the samples change {what}: they spread "
        f"over {seen.at_a_time:.1f} of {seen.modes} at a time and over {seen.over_time:.1f} in the last "
        f"{WINDOW} looks",
        advice="damp the game with penalties on the critic's gradient, let the generator look ahead "
        "(unrolling), or lower both rates (`lr`)",
        command=command,
        headline="generator and critic chase each other",
    )
