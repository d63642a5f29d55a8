"""What a critic tells the generator: how well it separates, how flat and how steep it is, what gradient
arrives.

M. Arjovsky and L. Bottou, *Towards Principled Methods for Training Generative Adversarial Networks*, ICLR
2017: where real and generated data lie apart, a critic can become perfect, and its gradient then says little
or nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from statistics import median

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.core import Algorithm, Draw, Finding
from pushforward.diagnostics.advice import offered
from pushforward.objectives.penalties import between, input_gradient

FLAT = 0.01  # slope of the sigmoid, whose largest is 0.25: |score| > 4.58
SURE = 0.99  # of pairs ordered rightly
SATURATED = 0.95  # share of scores where the sigmoid is flat
VANISHED = 0.01  # of the largest gradient norm so far
RECENT = 3  # observations that a trend is read from, so that one bad batch is none
HELD = 2.0  # a critic held to slope 1 by a penalty λ has 1 + m / 2λ for data that are m away


@dataclass(frozen=True)
class Lipschitz:
    """Norms of the critic's gradient on lines between real and generated data. In scores per unit of the
    data."""

    mean: float
    largest: float


def separation(real: Float[Tensor, "n *a"], fake: Float[Tensor, "m *b"]) -> float:
    """P(score of real > score of fake), ties half: 1 tells all apart, 0.5 none. In double.

    The critic's accuracy with the threshold left out, since only some losses put it at 0: the area under
    its ROC curve, by ranks (Mann and Whitney 1947).
    """
    real, fake = real.flatten().double(), fake.flatten().double()
    ordered = fake.sort().values
    below = torch.searchsorted(ordered, real, side="left")
    not_above = torch.searchsorted(ordered, real, side="right")
    return ((below + not_above).double() / 2).mean().item() / len(fake)


def saturation(scores: Float[Tensor, "n *s"]) -> float:
    """The share of logits where the sigmoid's slope σ(s)(1 - σ(s)) is below 0.01, in [0, 1]."""
    s = torch.sigmoid(scores.double())
    return (s * (1 - s) < FLAT).double().mean().item()


def lipschitz(
    critic: Callable[[Tensor], Tensor], real: Float[Tensor, "b *x"], fake: Float[Tensor, "b *x"]
) -> Lipschitz:
    """‖∇D(x̂)‖₂ at a random point of the line from each fake to a real. Gulrajani et al. 2017, eq. 3's x̂.

    The largest is a lower bound on the Lipschitz constant. Draws from torch's random stream. The scores of a
    batch must not depend on each other: BatchNorm only in eval mode.
    """
    x_hat = between(real, fake)
    with torch.enable_grad():
        norms = input_gradient(critic(x_hat), x_hat).detach().norm(dim=1)
    return Lipschitz(norms.mean().item(), norms.max().item())


def generator_gradient(algorithm: Algorithm, draw: Draw, *, player: str = "generator") -> float | None:
    """‖∂loss/∂θ‖₂ that reaches a player in one training step from here; None where the step has no loss for
    it.

    The step is taken by a copy, in training mode, and moves nobody: what the step of an algorithm changes
    besides (clipped weights, BatchNorm's averages) changes the copy. Losses of several updates are summed.
    Draws from torch's random stream.
    """
    twin = copy.deepcopy(algorithm).train()
    owned = twin.players()[player].parameters()
    total: list[Tensor] | None = None
    with torch.enable_grad():
        steps = twin.step(draw)
        update = next(steps, None)
        while update is not None:
            if player in update.losses:
                found = torch.autograd.grad(update.losses[player], owned, allow_unused=True)
                whole = [torch.zeros_like(p) if g is None else g for p, g in zip(owned, found, strict=True)]
                total = whole if total is None else [a + b for a, b in zip(total, whole, strict=True)]
            try:
                update = steps.send(update.answer())
            except StopIteration:
                update = None
    return None if total is None else torch.cat([g.flatten() for g in total]).norm().item()


def diagnose_vanishing(
    gradients: Sequence[float],
    separations: Sequence[float],
    *,
    command: str = "",
    options: Collection[str] | None = None,
) -> Finding | None:
    """A finding where hardly any gradient reaches the generator, though it has everything to learn; else
    None.

    gradients: `generator_gradient` at each observation after the first steps, oldest first. separations:
    those of the critic. Hardly any is a hundredth of the largest so far, three observations in a row (their
    median): each tenfold is what a saturated sigmoid takes per 2.3 of score. A gradient that is small because
    the samples are good is none: then the critic cannot tell them apart.
    """
    if len(gradients) <= RECENT or len(separations) < RECENT:
        return None
    largest, now = max(gradients), median(gradients[-RECENT:])
    told_apart = median(separations[-RECENT:])
    if not largest > 0 or now > VANISHED * largest or told_apart < SURE:
        return None
    return Finding(
        name="vanishing-gradient",
        severity="critical",
        confidence=round(min(0.99, 1 - 10 * now / largest), 2),
        evidence=f"the gradient that reaches the generator has a norm of {now:.2g}, at most a hundredth of "
        f"its largest ({largest:.2g}), while the critic orders {told_apart:.1%} of pairs of real and "
        "generated data rightly",
        advice="take a loss that does not saturate, a critic whose slope is bounded, or noise on what it "
        "sees (`noise`)"
        if offered("noise", options)
        else "lower the critic's rate, or transform what it sees (`augment`)",
        command=command,
        headline="the critic is sure, and the generator learns no more",
    )


def diagnose_saturation(
    separations: Sequence[float], saturations: Sequence[float], *, command: str = ""
) -> Finding | None:
    """A finding where a critic of logits has become perfect, three observations in a row (their median).

    Perfect: it orders 99 % of pairs rightly and 95 % of its scores of generated data lie where the sigmoid is
    flat. On samples of the data it orders half of them.
    """
    if min(len(separations), len(saturations)) < RECENT:
        return None
    told_apart, flat = median(separations[-RECENT:]), median(saturations[-RECENT:])
    if told_apart < SURE or flat < SATURATED:
        return None
    return Finding(
        name="critic-saturated",
        severity="warning",
        confidence=round(min(0.99, told_apart * flat), 2),
        evidence=f"the critic orders {told_apart:.1%} of pairs of real and generated data rightly, and "
        f"{flat:.0%} of its scores of generated data lie where the sigmoid's slope is below {FLAT:g}",
        advice="make them overlap (`noise`), slow the critic down (`lr.critic`), or bound its "
        "slope by a penalty",
        command=command,
        headline="the critic tells all real data from generated",
    )


def diagnose_slope(
    means: Sequence[float],
    *,
    weight: float,
    one_sided: bool = False,
    gaps: Sequence[float] = (),
    command: str = "",
) -> Finding | None:
    """A finding where a gradient penalty of this weight does not hold the critic's slope near 1; else None.

    means: mean slopes on lines between real and generated data, oldest first; the median of three counts.
    Twice 1 either way; one_sided: only above, since such a penalty lets the critic be flat. What a WGAN-GP
    reports as a distance is off by that factor. gaps: mean scores of real less generated data, at the same
    observations. Where data are m apart the best critic itself has the slope s = 1 + m/2λ and the gap s m, so
    a slope whose excess is up to twice gap / 2λs is held as it is meant to be.
    """
    if len(means) < RECENT:
        return None
    slope = median(means[-RECENT:])
    if slope <= HELD and (one_sided or slope >= 1 / HELD):
        return None
    gap = median([g for g in gaps[-RECENT:] if g is not None] or [0.0])
    if slope > HELD and slope - 1 <= HELD * gap / (2 * weight * slope):
        return None
    return Finding(
        name="slope-not-held",
        severity="warning",
        confidence=0.8,
        evidence=f"the critic's mean slope between real and generated data is {slope:.2g}, where the penalty "
        f"of weight {weight:g} wants 1",
        advice="raise the penalty's weight (`penalty`)"
        if slope > 1
        else "train the critic more (`n_critic`) or faster (`lr.critic`)",
        command=command,
        headline="the critic's loss is no distance",
    )
