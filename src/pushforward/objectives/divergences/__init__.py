"""How far apart two distributions are: in closed form, exactly, along random lines, or by a trained critic.

    w1_samples(x, y)            # exact, by POT
    train_critic(x, y).value    # the same by the dual, as a GAN's critic sees it

What each is good for, and what a generator that descends it gets, is on the page "Divergences".
"""

from __future__ import annotations

from pushforward.objectives.divergences.dual import (
    CriticReading,
    DiscriminatorReading,
    train_critic,
    train_discriminator,
)
from pushforward.objectives.divergences.gaussian import js_normals, kl_gaussians, kl_normals, w1_normals
from pushforward.objectives.divergences.samples import (
    distances,
    optimal_plan,
    sinkhorn_divergence,
    sliced_w1,
    w1_line,
    w1_samples,
)

__all__ = [
    "CriticReading",
    "DiscriminatorReading",
    "distances",
    "js_normals",
    "kl_gaussians",
    "kl_normals",
    "optimal_plan",
    "sinkhorn_divergence",
    "sliced_w1",
    "train_critic",
    "train_discriminator",
    "w1_line",
    "w1_normals",
    "w1_samples",
]
