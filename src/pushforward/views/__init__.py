"""What a critic sees of an image or a point: as it is, noisy, packed with others."""

from __future__ import annotations

from pushforward.views.critic import Look, ViewedCritic
from pushforward.views.noise import InstanceNoise
from pushforward.views.packing import Packing
from pushforward.views.view import Identity, View

__all__ = ["Identity", "InstanceNoise", "Look", "Packing", "View", "ViewedCritic"]
