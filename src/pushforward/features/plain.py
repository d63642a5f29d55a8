"""Features that nobody trained: floors for those that were learned."""

from __future__ import annotations

import hashlib
import math

import torch
from torch import nn

from pushforward.features.extractor import FeatureExtractor
from pushforward.features.pixels import SIDE, pooled_pixels

WIDTHS = (32, 64, 128, 256)


def random_features(size: int, device: torch.device) -> FeatureExtractor:
    """A convolutional network with fixed random weights: means over the image of its four layers' outputs."""
    network = _RandomNetwork().to(device)
    weights = b"".join(p.detach().cpu().numpy().tobytes() for p in network.parameters())
    return FeatureExtractor(
        name=f"random-conv@{size}",
        family="random-conv",
        size=size,
        colours=3,
        dimensions=sum(WIDTHS),
        weights=hashlib.sha256(weights).hexdigest(),
        function=network,
        device=device,
    )


def pixel_features(shape: tuple[int, ...], device: torch.device) -> FeatureExtractor:
    """Intensities in [-1, 1], averaged down to at most 16 × 16 pixels."""
    channels, height, width = shape
    colours = channels - (channels in (2, 4))  # what is transparent becomes white
    return FeatureExtractor(
        name="pixels",
        family="pixels",
        size=None,
        colours=None,
        dimensions=colours * min(SIDE, height) * min(SIDE, width),
        weights="",
        function=pooled_pixels,
        device=device,
    )


class _RandomNetwork(nn.Module):
    """Weights from N(0, 2/fan in), so that the signal keeps its size, by a generator of their own."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.layers = nn.ModuleList()
        for inputs, outputs in zip((3, *WIDTHS), WIDTHS, strict=False):
            layer = nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False).requires_grad_(False)
            layer.weight.normal_(0, math.sqrt(2 / (16 * inputs)), generator=generator)
            self.layers.append(layer)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(b, 3, h, w) to (b, 480)."""
        means = []
        for layer in self.layers:
            x = torch.relu(layer(x))
            means.append(x.mean((2, 3)))
        return torch.cat(means, 1)
