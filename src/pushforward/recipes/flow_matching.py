"""Flow matching: the network of the velocity, from a data shape and options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import nn

from pushforward.algorithms.flow_matching import FlowMatching, FlowMatchingHyperparameters
from pushforward.errors import UserError
from pushforward.networks.layers import Shape
from pushforward.networks.velocity import VelocityMLP, VelocityUNet


@dataclass(kw_only=True)
class FlowMatchingRecipe(FlowMatchingHyperparameters):
    """Options of `train flow-matching`."""

    network: Literal["auto", "mlp", "unet"] = "auto"
    """Architecture; auto takes mlp for points and images under 16 pixels, and unet above."""
    hidden: tuple[int, ...] = (256, 256, 256)
    """Widths of the mlp's hidden layers."""
    width: int = 32
    """Channels of the unet at the image's own size; they double with each halving, up to 8 times as many."""

    def build(self, shape: Shape) -> FlowMatching:
        """A freshly initialised flow for points (d,) or images (channels, height, width)."""
        self.check()
        return FlowMatching(network=self._network(shape), shape=shape, hyper=self)

    def check(self) -> None:
        """Raise UserError at the first value that cannot be."""
        super().check()
        if self.width < 1:
            raise UserError(f"`width`: {self.width}; expected at least 1")
        if not self.hidden or any(h < 1 for h in self.hidden):
            raise UserError(f"`hidden`: {self.hidden}; expected one or more widths of at least 1")

    def _network(self, shape: Shape) -> nn.Module:
        images = len(shape) == 3
        if self.network == "unet" and not images:
            raise UserError("`network`: unet, but `data` holds points; take mlp or leave it out")
        if self.network == "unet" or (self.network == "auto" and images and min(shape[1:]) >= 16):
            return VelocityUNet(shape, self.width)
        return VelocityMLP(shape, self.hidden)
