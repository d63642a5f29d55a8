"""What a critic sees of an image or a point: as it is, noisy, packed with others; and how it is scored."""

from __future__ import annotations

from pushforward.views.critic import Look, ViewedCritic
from pushforward.views.noise import InstanceNoise
from pushforward.views.packing import Packing
from pushforward.views.penalties import GradientPenalty, Penalty, ZeroCentredPenalties
from pushforward.views.view import Identity, View

__all__ = [
    "GradientPenalty",
    "Identity",
    "InstanceNoise",
    "Look",
    "Packing",
    "Penalty",
    "View",
    "ViewedCritic",
    "ZeroCentredPenalties",
]
